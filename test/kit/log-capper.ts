/** Child process of the logs' tests: cuts logs as often as it can, until it is killed. */
import { createLogCapper } from '../../src/logs/capper.ts';

const stateDir = process.argv[2];
if (stateDir === undefined) throw new Error('usage: log-capper STATE_DIR');
const capper = createLogCapper({ stateDir, maxBytes: 1024 * 1024 });
for (;;) await capper.sweep();
