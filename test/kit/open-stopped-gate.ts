/**
 * A daemon reduced to one start at whose gate the shell is stopped: `open-stopped-gate DIR`. Says the shell's pid, opens the gate and has
 * nothing left to do.
 */
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGate } from '../../src/actors/launch/gate.ts';
import { readProcStat } from '../../src/os/proc-stat.ts';
import { until } from './until.ts';

const [, , dir = ''] = process.argv;
const log = join(dir, 'engine.log');
writeFileSync(log, '');
const gate = await startGate({ executable: '/bin/true', argv: [], env: {} }, { log, fifoWriteEnd: openSync(log, 'a') });
process.kill(gate.pid, 'SIGSTOP');
await until('the shell to be stopped', () => readProcStat(gate.pid)?.state === 'T');
gate.open();
process.stdout.write(`${gate.pid}\n`);
