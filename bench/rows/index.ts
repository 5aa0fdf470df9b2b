/** The rows, in the order of the table. */
import type { Row } from '../kit/row.ts';
import { boot } from './boot.ts';
import { events } from './events.ts';
import { gpuFacts } from './gpu-facts.ts';
import { handoff } from './handoff.ts';
import { idleCpu } from './idle-cpu.ts';
import { journal } from './journal.ts';
import { kill } from './kill.ts';
import { memory } from './memory.ts';
import { manyNodes } from './nodes.ts';
import { preload } from './preload.ts';
import { scrape } from './scrape.ts';
import { spawning } from './spawning.ts';
import { statusRoutes } from './status-routes.ts';
import { statusUnderStress } from './status-under-stress.ts';

export const rows: readonly Row[] = [
  handoff,
  kill,
  preload,
  boot,
  statusRoutes,
  statusUnderStress,
  events,
  spawning,
  journal,
  memory,
  idleCpu,
  scrape,
  gpuFacts,
  manyNodes,
];
