/**
 * Files that survive a crash: after a kill or a power cut at any moment the old or the new content is there, whole.
 *
 * Two writers of one path at the same time are safe but unordered; whoever needs an order queues. A crash may leave a temporary
 * file behind, which `sweepLeftovers` of a later process removes.
 */
import { randomBytes } from 'node:crypto';
import { constants as flags } from 'node:fs';
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { CauseError } from '../cause.ts';

/** `mode` is what the file gets, whatever the umask. Throws CauseError `disk_full` or `state_store_failed`. */
export const writeFileAtomically = async (path: string, text: string, { mode }: { readonly mode: number }): Promise<void> => {
  const temporary = join(dirname(path), temporaryName(basename(path)));
  try {
    const handle = await open(temporary, flags.O_CREAT | flags.O_EXCL | flags.O_WRONLY | flags.O_NOFOLLOW, mode);
    try {
      await fill(handle, text, mode);
      await rename(temporary, path);
    } catch (thrown) {
      // What cannot be removed now is swept at the next start; the failure to tell is the first one.
      await unlink(temporary).catch(() => undefined);
      throw thrown;
    }
    await syncDir(dirname(path));
  } catch (thrown) {
    throw writeFailure(`cannot write ${path}`, path, thrown);
  }
};

/** A file that is not there is removed already. Throws CauseError as writing does. */
export const removeFile = async (path: string): Promise<void> => {
  try {
    await unlink(path).catch(ignoreMissing);
    await syncDir(dirname(path));
  } catch (thrown) {
    throw writeFailure(`cannot remove ${path}`, path, thrown);
  }
};

/** Makes creations, renames and removals in `dir` last. */
export const syncDir = async (dir: string): Promise<void> => {
  const handle = await open(dir, flags.O_RDONLY | flags.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** Removes the temporary files of processes before this one and says their names. */
export const sweepLeftovers = async (dir: string): Promise<readonly string[]> => {
  const leftovers = (await readdir(dir)).filter((name) => temporaryPattern.test(name) && !name.includes(ownInfix));
  for (const name of leftovers) await unlink(join(dir, name)).catch(ignoreMissing);
  return leftovers;
};

/** Tells this process's temporary files, which may be in use, from leftovers. */
const ownInfix = `.${randomBytes(6).toString('hex')}-`;
const temporaryPattern = /^\..+\.[0-9a-f]{12}-[0-9a-f]{16}\.tmp$/;

const temporaryName = (name: string): string => `.${name}${ownInfix}${randomBytes(8).toString('hex')}.tmp`;

/** FileHandle.writeFile goes on after a short write, which is how a disk that is nearly full answers. */
const fill = async (handle: FileHandle, text: string, mode: number): Promise<void> => {
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
};

const ignoreMissing = (thrown: unknown): void => {
  if (errnoOf(thrown) !== 'ENOENT') throw thrown;
};

/** libuv has no name for EDQUOT, only its number. */
const errnoOf = (thrown: unknown): string | null => {
  if (!(thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string')) return null;
  return 'errno' in thrown && thrown.errno === -constants.errno.EDQUOT ? 'EDQUOT' : thrown.code;
};

const writeFailure = (what: string, path: string, thrown: unknown): CauseError => {
  const errno = errnoOf(thrown);
  const message = `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  return errno === 'ENOSPC' || errno === 'EDQUOT'
    ? new CauseError({
        code: 'disk_full',
        message: `${message}; free some space${errno === 'EDQUOT' ? ' or raise the quota (EDQUOT)' : ''} on its file system`,
        details: { path, errno },
      })
    : new CauseError({ code: 'state_store_failed', message, details: { path, errno } });
};
