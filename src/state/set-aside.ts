/**
 * Moves a file that cannot be used out of the way, with the reason beside it. Nothing is changed in it, and nothing is deleted
 * but the oldest when there are too many.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Cause } from '../machines/vocabulary.ts';

export const corruptDir = 'corrupt';
/** Files kept; each has its reason beside it. */
const mostKept = 100;

/** Never rejects: a file that cannot be moved is left and said to be. */
export const setAside = async (stateDir: string, path: string, reason: string): Promise<Cause> => {
  const shelf = basename(dirname(path));
  const dir = join(stateDir, corruptDir);
  const moved = join(dir, `${Date.now()}-${shelf}-${encodeURIComponent(basename(path)).slice(-150)}`);
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await rename(path, moved);
  } catch (thrown) {
    return unusable(`cannot use ${path}: ${reason}; it could not be moved to ${dir}: ${messageOf(thrown)}`, path);
  }
  const trouble = await writeFile(`${moved}.reason.txt`, `${reason}\n`, { mode: 0o600 }).then(() => prune(dir), messageOf);
  return unusable(`cannot use ${path}: ${reason}; moved to ${moved}${trouble === undefined ? '' : `, without its reason: ${trouble}`}`, path, moved);
};

/** The disk did not answer, or the daemon may not read it: moving would not help. */
export const leftInPlace = (path: string, thrown: unknown): Cause => unusable(`cannot read ${path}: ${messageOf(thrown)}; left where it is`, path);

/** Names begin with the time, so that they sort by age. */
const prune = async (dir: string): Promise<void> => {
  const names = (await readdir(dir)).sort();
  await Promise.all(names.slice(0, Math.max(0, names.length - 2 * mostKept)).map((name) => rm(join(dir, name), { recursive: true, force: true })));
};

const unusable = (message: string, path: string, moved?: string): Cause => ({
  code: 'state_store_failed',
  message,
  details: moved === undefined ? { path } : { path, moved },
});

const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
