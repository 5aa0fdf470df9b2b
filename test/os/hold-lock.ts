/** Locks the state directory named first, says what came of it, and waits to be ended. With `engine` it starts one that outlives it. */
import { spawn } from 'node:child_process';
import { lockStateDir } from '../../src/os/lock.ts';

const [dir = '', engine] = process.argv.slice(2);
const lock = lockStateDir(dir);
const child = engine === undefined ? null : spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
child?.unref();
console.log(JSON.stringify({ ok: lock.ok, holderPid: lock.ok ? null : lock.holderPid, enginePid: child?.pid ?? null }));
if (!lock.ok) process.exit(75);
process.stdin.resume().on('end', () => lock.release());
