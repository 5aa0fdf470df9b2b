/**
 * The FIFO that an engine holds open for writing from its first instruction to its last. End-of-file is its exit, for a daemon
 * that is not its parent; who holds it descends from it, wherever it went.
 *
 * Nothing is ever written. An engine that closes files it does not know gives an early end-of-file, so the end is only a hint.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { CauseError } from '../../cause.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { makeFifo } from '../../os/libc.ts';
import { fdsOf } from '../../os/proc-fds.ts';
import { isDead, type ProcIdentity, type ProcStat } from '../../os/proc-stat.ts';

const exitsDir = 'exits';

/** Of one start, below the state directory. */
export const exitFifoOf = (stateDir: string, poolId: string, incarnation: string): string => join(stateDir, exitsDir, `${poolId}.${incarnation}`);

/** Makes it; `writeEnd` is for the engine and is to be closed here once the engine has it. */
export const makeExitFifo = async (path: string): Promise<{ readonly writeEnd: number }> => {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await removeExitFifo(path);
    makeFifo(path);
    // With a reader there, opening for writing does not wait.
    const readEnd = openForReading(path);
    try {
      return { writeEnd: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
    } finally {
      closeSync(readEnd);
    }
  } catch (thrown) {
    throw new CauseError({
      code: 'state_store_failed',
      message: `cannot make the FIFO ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  }
};

export const removeExitFifo = async (path: string): Promise<void> => {
  await unlink(path).catch((thrown: unknown) => {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
  });
};

/** Removes those of starts that never came to a record. Says which. Only while no engine is being started. */
export const sweepExitFifos = async (stateDir: string, recorded: readonly RunRecord[]): Promise<readonly string[]> => {
  const dir = join(stateDir, exitsDir);
  const kept = new Set(recorded.map(({ exitFifo }) => exitFifo));
  const paths = (await readdir(dir).catch(noneWhereMissing)).map((name) => join(dir, name)).filter((path) => !kept.has(path));
  for (const path of paths) await removeExitFifo(path);
  return paths;
};

const noneWhereMissing = (thrown: unknown): readonly string[] => {
  if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return [];
  throw thrown;
};

/**
 * Calls back at end-of-file. A FIFO without a writer since it was opened says nothing, so whoever watches asks once more for
 * the process after opening. Null: there is no such FIFO any more.
 */
export const watchExitFifo = (path: string, onEnd: () => void): (() => void) | null => {
  const fd = openOrNull(path);
  if (fd === null) return null;
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.once('end', onEnd);
  // A broken FIFO is one that says nothing; the process itself is asked every second anyway.
  socket.on('error', () => socket.destroy());
  socket.resume();
  socket.unref();
  return () => socket.destroy();
};

/** Processes that hold it for writing. No look at any of them when nobody does. */
export const holdersOf = (path: string, candidates: Iterable<ProcStat>): readonly ProcIdentity[] => {
  if (!hasWriter(path)) return [];
  return [...candidates].filter((found) => !isDead(found) && holds(found.pid, path));
};

const holds = (pid: number, path: string): boolean => {
  const fds = fdsOf(pid);
  return fds !== 'denied' && fds.some(({ link, writable }) => writable && link === path);
};

const hasWriter = (path: string): boolean => {
  const fd = openOrNull(path);
  if (fd === null) return false;
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EAGAIN') return true;
    throw thrown;
  } finally {
    closeSync(fd);
  }
};

const openForReading = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);

const openOrNull = (path: string): number | null => {
  try {
    const fd = openForReading(path);
    if (fstatSync(fd).isFIFO()) return fd;
    closeSync(fd);
    return null;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ELOOP')) return null;
    throw thrown;
  }
};
