/** The journal that a daemon left, folded through the charts it ran. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gpuMachine } from '../../src/machines/gpu/machine.ts';
import { nodeMachine } from '../../src/machines/node/machine.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { type Replay, replay } from '../../src/machines/replay.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { parseLine } from '../../src/observe/read-lines.ts';

const machines = { node: nodeMachine, pool: poolMachine, registration: registrationMachine, gpu: gpuMachine };

export const foldJournal = (stateDir: string): Replay =>
  replay(
    readFileSync(join(stateDir, 'journal', 'events.jsonl'), 'utf8')
      .split('\n')
      .map(parseLine),
    { machines, digest: contextDigest },
  );
