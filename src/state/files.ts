/**
 * The state directory: its folders, made where they are missing and closed to others, and a shelf for each.
 *
 * The caller holds the lock of the directory. Nothing else is kept here in memory.
 */
import { chmod, mkdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CauseError } from '../cause.ts';
import { syncDir } from '../os/atomic-file.ts';
import { attachedForm, declaredForm, learnedForm, memoryForm, overrideForm, runForm, treeForm } from './forms.ts';
import { makeLanes } from './lanes.ts';
import { corruptDir } from './set-aside.ts';
import { makeShelf } from './shelf.ts';
import { folders, type ShelfName, type StateStore } from './store.ts';

/** Throws CauseError `state_store_failed` where the directory cannot be made or used. */
export const openStateStore = async (stateDir: string): Promise<StateStore> => {
  const dir = resolve(stateDir);
  const owners = await prepare(dir).catch((thrown: unknown) => {
    throw unusable(dir, thrown);
  });
  const lanes = makeLanes();
  const at = (shelf: ShelfName) => ({ dir: join(dir, folders[shelf]), owners, lanes });
  return {
    dir,
    runs: makeShelf(runForm, at('runs')),
    memories: makeShelf(memoryForm, at('memories')),
    declared: makeShelf(declaredForm, at('declared')),
    overrides: makeShelf(overrideForm, at('overrides')),
    attached: makeShelf(attachedForm, at('attached')),
    trees: makeShelf(treeForm, at('trees')),
    learned: makeShelf(learnedForm, at('learned')),
    settled: lanes.settled,
  };
};

/** Says who may own the files: this user, and whoever owns the directory. */
const prepare = async (dir: string): Promise<ReadonlySet<number>> => {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const folder of [...Object.values(folders), corruptDir]) {
    await mkdir(join(dir, folder), { recursive: true, mode: 0o700 });
    await chmod(join(dir, folder), 0o700);
  }
  await syncDir(dir);
  if (made !== undefined) await syncDir(dirname(made));
  const { uid } = await stat(dir);
  return new Set([uid, ...(process.geteuid === undefined ? [] : [process.geteuid()])]);
};

const unusable = (dir: string, thrown: unknown): CauseError =>
  new CauseError({
    code: 'state_store_failed',
    message: `expected a state directory the daemon can write to at ${dir}, found ${thrown instanceof Error ? thrown.message : String(thrown)}; POOL_MANAGERD_STATE_DIR names another`,
    details: { path: dir },
  });
