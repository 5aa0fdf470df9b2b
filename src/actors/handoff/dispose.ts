/**
 * Ends of handoff files: deleted once consumed, or set aside in `rejected/` with the reason beside.
 *
 * Only the very content that was read is touched. A file replaced meanwhile is left, or put back.
 */
import { link, lstat, mkdir, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, isMissing } from './identity.ts';

const rejectedDir = 'rejected';
/** Rejected files kept; a writer gone wild cannot fill the disk through us. */
const mostRejected = 200;

/** Takes the name away first and looks then, so that a newer file of the same name is never deleted. */
export const deleteConsumed = async (dir: string, name: string, identity: string): Promise<void> => {
  const path = join(dir, name);
  if ((await identityOf(path)) !== identity) return;
  const taken = join(dir, `.consumed-${name}`);
  try {
    await rename(path, taken);
  } catch (thrown) {
    if (isMissing(thrown)) return;
    throw thrown;
  }
  if ((await identityOf(taken)) !== identity) await putBack(taken, path);
  await unlink(taken);
};

/** Unless a newer one took the name meanwhile. */
const putBack = async (taken: string, path: string): Promise<void> => {
  try {
    await link(taken, path);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
  }
};

export const setAside = async (dir: string, name: string, identity: string, reason: string): Promise<void> => {
  const [path, rejected] = [join(dir, name), join(dir, rejectedDir)];
  const aside = join(rejected, name);
  await mkdir(rejected, { recursive: true, mode: 0o770 });
  await rename(path, aside);
  if ((await identityOf(aside)) !== identity) {
    await putBack(aside, path);
    return unlink(aside);
  }
  await writeFile(join(rejected, `${name}.reason.txt`), `${reason}\n`, { mode: 0o640 });
};

/** Removes the oldest of those set aside. Looks at every one of them: for after a burst, not for each file of it. */
export const pruneRejected = async (dir: string): Promise<void> => {
  const rejected = join(dir, rejectedDir);
  const names = await readdir(rejected);
  // Each file and its reason are two entries.
  if (names.length <= 2 * mostRejected) return;
  const aged = await Promise.all(names.map(async (name) => ({ name, mtimeMs: await ageOf(join(rejected, name)) })));
  const oldest = aged.sort((a, b) => a.mtimeMs - b.mtimeMs).slice(0, names.length - 2 * mostRejected);
  await Promise.all(oldest.map(({ name }) => unlink(join(rejected, name)).catch(ignoreMissing)));
};

/** Of a link itself, which may lead anywhere. */
const ageOf = (path: string): Promise<number> =>
  lstat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );

const ignoreMissing = (thrown: unknown): void => {
  if (!isMissing(thrown)) throw thrown;
};
