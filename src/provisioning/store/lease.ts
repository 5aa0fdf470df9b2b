/**
 * Who may work on one thing of the store: one holder on the machine, whichever process it is in. The kernel releases the lease
 * however its holder ends. Lock files stay, since removing one would let two hold two files.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { flockNow } from '../../os/libc.ts';
import { storeFailed } from '../fetch/failures.ts';

const lookEveryMs = 200;

/** Waits for whoever holds it, and says so each time it looks. Rejects with the reason of the signal. */
export const withLease = async <T>(path: string, signal: AbortSignal, waits: () => void, work: () => Promise<T>): Promise<T> => {
  const handle = await openLock(path);
  try {
    for (;;) {
      signal.throwIfAborted();
      const locked = flockNow(handle.fd);
      if (locked.kind === 'locked') return await work();
      if (locked.kind === 'failed') throw storeFailed(path, `flock failed with errno ${locked.errno}`);
      waits();
      await pause(lookEveryMs, undefined, { signal });
    }
  } finally {
    await handle.close();
  }
};

/** Null: somebody holds it. */
export const tryLease = async <T>(path: string, work: () => Promise<T>): Promise<T | null> => {
  const handle = await openLock(path);
  try {
    return flockNow(handle.fd).kind === 'locked' ? await work() : null;
  } finally {
    await handle.close();
  }
};

const openLock = async (path: string): Promise<FileHandle> => {
  try {
    await mkdir(dirname(path), { recursive: true });
    return await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  } catch (thrown) {
    throw storeFailed(path, thrown);
  }
};
