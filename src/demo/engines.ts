/**
 * The engines of a demo by the daemon's run records: which process each is, and, when the daemon itself is gone, their end.
 *
 * A process is (pid, start time): what has the pid of an engine that ended is left alone.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { isAlive } from '../os/proc-stat.ts';

export interface EngineProcess {
  readonly poolId: string;
  readonly pid: number;
  readonly startTime: number;
  readonly endpoint: string;
}

const record = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ poolId: v.string(), pid: v.pipe(v.number(), v.integer(), v.minValue(2)), startTime: v.number(), endpoint: v.string() }),
);

const goneWithinMs = 2_000;

/** Those that live. */
export const engineProcesses = (stateDir: string): readonly EngineProcess[] => recordFiles(stateDir).flatMap(readRecord).filter(isAlive);

/** Kills each with its process group and waits until they are gone. Returns those that are not. */
export const killEngines = async (stateDir: string): Promise<readonly EngineProcess[]> => {
  const left = engineProcesses(stateDir);
  for (const { pid } of left) killGroup(pid);
  const limit = performance.now() + goneWithinMs;
  while (left.some(isAlive) && performance.now() < limit) await wait(10);
  return left.filter(isAlive);
};

const recordFiles = (stateDir: string): readonly string[] => {
  const dir = join(stateDir, 'runs');
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(dir, name));
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
};

/** None: the record went away meanwhile, or is being written. */
const readRecord = (file: string): readonly EngineProcess[] => {
  try {
    const parsed = v.safeParse(record, readFileSync(file, 'utf8'));
    return parsed.success ? [parsed.output] : [];
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
};

const killGroup = (pid: number): void => {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown;
  }
};

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
