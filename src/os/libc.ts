/** The calls of the C library that Node has no function for. */
import { dlopen, getInt32 } from 'node:ffi';
import { getSystemErrorMap } from 'node:util';

export type Locked = { readonly kind: 'locked' } | { readonly kind: 'held' } | { readonly kind: 'failed'; readonly errno: number };

/** flock(2), exclusive, without waiting. The kernel releases it when the last copy of `fd` is closed. */
export const flockNow = (fd: number): Locked => {
  if (libc.flock(fd, lockExclusively | lockWithoutWaiting) === 0) return { kind: 'locked' };
  const errno = getInt32(errnoAddress);
  return errno === wouldBlock ? { kind: 'held' } : { kind: 'failed', errno };
};

/** mkfifo(3), for its owner only. Throws what was refused, as Node's own calls do. */
export const makeFifo = (path: string): void => {
  if (libc.mkfifo(Buffer.from(`${path}\0`), ownerOnly) === 0) return;
  const errno = getInt32(errnoAddress);
  const [code, message] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, 'failed'];
  throw Object.assign(new Error(`${code}: ${message}, mkfifo '${path}'`), { code, errno, path, syscall: 'mkfifo' });
};

const { functions: libc } = dlopen(null, {
  mkfifo: { arguments: ['buffer', 'u32'], return: 'i32' },
  flock: { arguments: ['i32', 'i32'], return: 'i32' },
  __errno_location: { arguments: [], return: 'pointer' },
});
/** Fixed for a thread: nothing of ours runs between the call and the look. */
const errnoAddress = libc.__errno_location();

const ownerOnly = 0o600;
const lockExclusively = 2;
const lockWithoutWaiting = 4;
const wouldBlock = 11;
