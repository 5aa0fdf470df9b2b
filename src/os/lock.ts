/**
 * One daemon per state directory: a lock that the kernel releases however its holder ends. The file names the holder's pid for
 * people; the lock itself, never the pid, decides. The file stays, since removing it would let two hold two files.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CauseError } from '../cause.ts';
import { flockNow } from './libc.ts';
import { makeDir } from './make-dir.ts';

export type StateLock =
  /** Held until `release`, which may be called twice, or until this process ends. */
  | { readonly ok: true; readonly release: () => void }
  /** Another process holds it; null: it has not said yet which. */
  | { readonly ok: false; readonly holderPid: number | null };

/** Makes the directory where there is none. Throws CauseError `state_store_failed` where it cannot be locked at all. */
export const lockStateDir = (dir: string): StateLock => {
  const path = join(dir, 'lock');
  const fd = openLockFile(dir, path);
  const locked = flockNow(fd);
  switch (locked.kind) {
    case 'locked':
      return { ok: true, release: hold(fd) };
    case 'held': {
      const holderPid = readPid(fd);
      closeSync(fd);
      return { ok: false, holderPid };
    }
    case 'failed':
      closeSync(fd);
      throw unusable(path, `flock failed with errno ${locked.errno}`);
  }
};

/** Node opens with O_CLOEXEC, so that no engine inherits the lock. */
const openLockFile = (dir: string, path: string): number => {
  try {
    makeDir(dir, 0o700);
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (thrown) {
    throw unusable(path, thrown instanceof Error ? thrown.message : String(thrown));
  }
  throw unusable(path, 'found something else');
};

const hold = (fd: number): (() => void) => {
  writePid(fd, `${process.pid}\n`);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    writePid(fd, '');
    closeSync(fd);
  };
};

/** Only for people: a full disk must not keep a daemon from starting. */
const writePid = (fd: number, text: string): void => {
  try {
    ftruncateSync(fd, 0);
    writeSync(fd, text, 0);
  } catch {
    // The lock is held all the same; whoever meets it then reads no pid.
  }
};

const readPid = (fd: number): number | null => {
  const buffer = Buffer.alloc(16);
  const pid = Number(buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)).trim());
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null;
};

const unusable = (path: string, found: string): CauseError =>
  new CauseError({
    code: 'state_store_failed',
    message: `expected a file that can be locked at ${path}: ${found}; POOL_MANAGERD_STATE_DIR names a directory on a local file system that the daemon may write to`,
    details: { path },
  });
