/**
 * The first process of an engine's unit, as the engine's user: checks what the daemon wants run, sends both streams to the log
 * file, waits until the run is recorded, and becomes the engine. What it refuses it says in the unit's journal, and in the log
 * file once that is open.
 *
 * Exit codes, where it does not become the engine: 64 usage, 75 no word from the daemon, 78 a spec that is refused, 126 and 127
 * as a shell has them.
 */
import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { gateName } from '../actors/launch/gate.ts';
import { goFile, specFile } from '../actors/launch/unit-files.ts';
import { mostSpecBytes, parseUnitSpec, type UnitSpec } from '../actors/launch/unit-spec.ts';
import { pinTo } from '../os/affinity.ts';
import { readTextSafely } from '../os/read-safely.ts';
import { poolIdPattern } from '../state/schemas.ts';

export interface EngineExecOptions {
  /** `/run/pool-managerd/specs`. */
  readonly specsDir: string;
  readonly wordWithinMs: number;
}

const exits = { usage: 64, noWord: 75, refused: 78, notExecutable: 126, missing: 127 } as const;

/** From the start of the unit until the daemon has its record on disk: some milliseconds. */
const real: EngineExecOptions = { specsDir: '/run/pool-managerd/specs', wordWithinMs: 20_000 };
const lookEveryMs = 5;

/** Returns only where it fails, with the exit code. */
export const engineExec = async (args: readonly string[], { specsDir, wordWithinMs }: EngineExecOptions = real): Promise<number> => {
  const [poolId, ...more] = args;
  if (poolId === undefined || more.length > 0 || !poolIdPattern.test(poolId)) {
    complain('engine-exec is run by llama-engine@<pool>.service, with the id of the pool');
    return exits.usage;
  }
  try {
    const spec = await readSpec(specsDir, poolId);
    sendStreamsTo(spec.logFile);
    if (await mayGo(goFile(specsDir, poolId), spec, wordWithinMs)) return become(spec);
    complain(`expected the daemon to record this run within ${wordWithinMs} ms, found no word of it; nothing was started`);
    return exits.noWord;
  } catch (thrown) {
    complain(`what pool ${poolId} is to run is refused:\n${messageOf(thrown)}`);
    return exits.refused;
  }
};

/** Only the owner of the folder writes specs, and that is the daemon. */
const readSpec = async (specsDir: string, poolId: string): Promise<UnitSpec> => {
  const owners = new Set([statSync(specsDir).uid]);
  const { text } = await readTextSafely(specFile(specsDir, poolId), { maxBytes: mostSpecBytes, owners });
  return parseUnitSpec(text, poolId);
};

/** A descriptor that is closed is the next to be opened: 1, then 2. `execve` leaves both open. */
const sendStreamsTo = (logFile: string): void => {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const probe = openSync(logFile, flags);
  const found = fstatSync(probe);
  closeSync(probe);
  if (!found.isFile() || found.nlink !== 1) throw new Error(`expected a regular file with one name, found something else: ${logFile}`);
  for (const stream of [1, 2]) {
    closeSync(stream);
    const opened = openSync(logFile, flags & ~constants.O_NONBLOCK);
    if (opened !== stream) throw new Error(`expected descriptor ${stream} for the log file, found ${opened}`);
  }
};

const mayGo = async (file: string, { incarnation }: UnitSpec, withinMs: number): Promise<boolean> => {
  const limit = performance.now() + withinMs;
  while (performance.now() < limit) {
    const word = await readTextSafely(file, { maxBytes: 100 }).catch(() => null);
    if (word?.text === incarnation) return true;
    await wait(lookEveryMs);
  }
  return false;
};

const become = ({ executable, argv, env, cpus }: UnitSpec): number => {
  if (process.execve === undefined) {
    complain('expected a Node with process.execve, 22.15 or later');
    return exits.notExecutable;
  }
  try {
    process.chdir('/');
    // Of this thread, which is the one that becomes the engine.
    if (cpus !== undefined && !pinTo(0, cpus)) complain(`cannot be put on CPUs ${cpus.join(', ')}, and runs on all`);
    return process.execve(executable, [executable, ...argv], { ...env });
  } catch (thrown) {
    const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    complain(`cannot run ${executable}: ${messageOf(thrown)}`, gateName);
    return missing ? exits.missing : exits.notExecutable;
  }
};

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** Not by the console, which may hold on to streams that are no longer there. `gateName` is how an engine that was never begun is told. */
const complain = (message: string, name = 'engine-exec'): void => {
  writeSync(2, `${name}: ${message}\n`);
};
