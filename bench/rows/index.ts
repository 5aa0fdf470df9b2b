/** The rows, in the order of the table. */
import type { Row } from '../kit/row.ts';
import { events } from './events.ts';
import { handoff } from './handoff.ts';
import { journal } from './journal.ts';
import { kill } from './kill.ts';
import { preload } from './preload.ts';
import { statusRoutes } from './status-routes.ts';

export const rows: readonly Row[] = [handoff, kill, preload, statusRoutes, events, journal];
