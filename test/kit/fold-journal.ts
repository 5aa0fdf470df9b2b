/** The journal that a daemon left, folded through the charts it ran. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { charts } from '../../src/machines/charts.ts';
import { type Replay, replay } from '../../src/machines/replay.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { parseLine } from '../../src/observe/read-lines.ts';

export const foldJournal = (stateDir: string): Replay =>
  replay(
    readFileSync(join(stateDir, 'journal', 'events.jsonl'), 'utf8')
      .split('\n')
      .map(parseLine),
    { machines: charts, digest: contextDigest },
  );
