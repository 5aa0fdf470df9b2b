/** Child process of the logs' tests: an engine fills the disk that it was given, the log is cut, and it writes on. */
import { appendFileSync, statSync } from 'node:fs';
import { createLogCapper } from '../../src/logs/capper.ts';
import { createEngineLog } from '../../src/logs/engine-log.ts';
import { createLogsPort } from '../../src/logs/read-logs.ts';

const stateDir = process.argv[2];
if (stateDir === undefined) throw new Error('usage: full-disk DIRECTORY');
const log = await createEngineLog({ stateDir })('pool-0', 'abc');
const fill = (): string => {
  try {
    for (;;) appendFileSync(log, `${'x'.repeat(999)}\n`);
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'something else';
  }
};
const full = fill();
const onFailure = (error: unknown): void => {
  throw error;
};
const capper = createLogCapper({ stateDir, maxBytes: 1024 * 1024, onFailure });
await capper.sweep();
await capper.close();
appendFileSync(log, 'after\n');
const lines = await createLogsPort({ stateDir }).read('pool-0', { tail: 9, run: 'current' });
process.stdout.write(JSON.stringify({ full, size: statSync(log).size, lines: lines?.map(({ text }) => text) }));
