/**
 * The file that a run of an engine writes to, made before the engine is, so that it belongs to the daemon's user and its mode
 * is known. Whoever starts the engine opens it with O_APPEND. Runs older than the `previousRuns` before this one are removed.
 */
import { mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CauseError } from '../cause.ts';
import { isMissing, keptName, listRuns, logName, poolLogDir, type Run, runName, runOfFile } from './runs.ts';
import { steadily } from './steadily.ts';

export interface EngineLogOptions {
  readonly stateDir: string;
  /** Kept beside the current one. */
  readonly previousRuns?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Makes the log of a new run and says its absolute path. Not to be called twice at a time for one pool.
 * Throws CauseError `disk_full` or `state_store_failed`; a run made half is cleared away by the next.
 */
export const createEngineLog =
  ({ stateDir, previousRuns = 2, now = Date.now }: EngineLogOptions) =>
  async (poolId: string, incarnation: string): Promise<string> => {
    const dir = poolLogDir(stateDir, poolId);
    try {
      await mkdir(dir, { recursive: true, mode: 0o750 });
      const { runs, end } = await steadily(() => runsAndEnd(dir));
      const name = runName(Math.max(now(), (runs.at(-1)?.startedAt ?? 0) + 1), incarnation);
      await createEmpty(join(dir, keptName(name, end === null ? 0 : end + gap)));
      await createEmpty(join(dir, logName(name)));
      // The run of the other berth may be the one that serves: it is not removed from here.
      const own = runs.filter((run) => run.dir === dir);
      const stay = new Set([name, ...own.slice(Math.max(0, own.length - previousRuns)).map((run) => run.name)]);
      await removeOthers(dir, stay);
      return join(dir, logName(name));
    } catch (thrown) {
      throw failure(dir, thrown);
    }
  };

/** For a pool that is gone. Throws as making does. */
export const removeEngineLogs =
  ({ stateDir }: Pick<EngineLogOptions, 'stateDir'>) =>
  async (poolId: string): Promise<void> => {
    const dir = poolLogDir(stateDir, poolId);
    await rm(dir, { recursive: true, force: true }).catch((thrown: unknown) => {
      throw failure(dir, thrown);
    });
  };

/** Left free for what the run before still writes while it ends, and for offsets that a power cut took back. */
const gap = 2 ** 32;

const runsAndEnd = async (dir: string): Promise<{ runs: readonly Run[]; end: number | null }> => {
  const runs = await listRuns(dir);
  const ends = await Promise.all(runs.map(async (run) => run.offset + (await stat(run.log)).size));
  return { runs, end: ends.length === 0 ? null : Math.max(...ends) };
};

const createEmpty = async (file: string): Promise<void> => {
  const handle = await open(file, 'wx', 0o640);
  await handle.close();
};

/** The log goes last: without it a kept file would belong to no run. */
const removeOthers = async (dir: string, stay: ReadonlySet<string>): Promise<void> => {
  const others = (await readdir(dir)).filter((file) => {
    const run = runOfFile(file);
    return run !== null && !stay.has(run);
  });
  for (const file of others.sort((one, other) => Number(one.endsWith('.log')) - Number(other.endsWith('.log')))) {
    await unlink(join(dir, file)).catch((thrown: unknown) => {
      if (!isMissing(thrown)) throw thrown;
    });
  }
};

const failure = (dir: string, thrown: unknown): CauseError => {
  const found = thrown instanceof Error ? thrown.message : String(thrown);
  const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
  return errno === 'ENOSPC' || errno === 'EDQUOT'
    ? new CauseError({ code: 'disk_full', message: `no room for the log of an engine in ${dir}: ${found}; free some space on its file system` })
    : new CauseError({ code: 'state_store_failed', message: `cannot keep the log of an engine in ${dir}: ${found}` });
};
