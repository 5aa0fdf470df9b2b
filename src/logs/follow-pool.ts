/**
 * Tells those who follow a pool what its engines write, as it comes. One timer and one watcher however many follow, none when
 * nobody does. Each has a place of its own and is read for on its own, a block at a time, so that nothing is kept for the slow.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { LogLine } from '../http/ports.ts';
import { linesAfter } from './lines-after.ts';

export interface PoolFollowing {
  /** Lines from after `after`, never before this returns. Returns the way to stop; stopping twice is once. */
  add(after: number, listener: (line: LogLine) => void): () => void;
}

export interface PoolFollowingOptions {
  /** Need not exist yet. */
  readonly dir: string;
  readonly intervalMs: number;
  /** Nobody follows any more. */
  readonly onIdle: () => void;
  /** A log could not be read, and is read again at the next look; or a listener threw, and is cut off. */
  readonly onFailure: (error: unknown) => void;
}

interface Follower {
  next: number;
  reading: boolean;
  /** Something may have come while reading. */
  again: boolean;
  stopped: boolean;
  readonly listener: (line: LogLine) => void;
}

export const followPool = ({ dir, intervalMs, onIdle, onFailure }: PoolFollowingOptions): PoolFollowing => {
  const followers = new Set<Follower>();
  let timer: NodeJS.Timeout | null = null;
  let hint: FSWatcher | null = null;

  const look = (): void => {
    for (const follower of followers) read(dir, follower).catch(failed(follower));
  };
  const failed = (follower: Follower) => (thrown: unknown) => {
    if (thrown instanceof ListenerFailure) remove(follower);
    onFailure(thrown instanceof ListenerFailure ? thrown.cause : thrown);
  };
  const dropHint = (): void => {
    hint?.close();
    hint = null;
  };
  /** One hint at a time, armed at most once in an interval: an engine that writes ten thousand times a second wakes nobody as often. */
  const armHint = (): void => {
    if (hint !== null) return;
    try {
      hint = watch(dir, { persistent: false }, () => {
        dropHint();
        look();
      });
      hint.on('error', dropHint);
    } catch {
      // No directory yet, or no watches left: the timer goes on.
      dropHint();
    }
  };
  const remove = (follower: Follower): void => {
    follower.stopped = true;
    if (!followers.delete(follower) || followers.size > 0) return;
    if (timer !== null) clearInterval(timer);
    timer = null;
    dropHint();
    onIdle();
  };
  return {
    add: (after, listener) => {
      const follower: Follower = { next: after, reading: false, again: false, stopped: false, listener };
      followers.add(follower);
      timer ??= setInterval(() => {
        armHint();
        look();
      }, intervalMs).unref();
      armHint();
      read(dir, follower).catch(failed(follower));
      return () => remove(follower);
    },
  };
};

class ListenerFailure extends Error {
  override readonly name = 'ListenerFailure';
}

const read = async (dir: string, follower: Follower): Promise<void> => {
  follower.again = true;
  if (follower.reading) return;
  follower.reading = true;
  try {
    while (follower.again && !follower.stopped) {
      follower.again = false;
      const { lines, next } = await linesAfter(dir, follower.next);
      for (const line of lines) tell(follower, line);
      follower.again ||= next !== follower.next;
      follower.next = next;
    }
  } finally {
    follower.reading = false;
  }
};

const tell = (follower: Follower, line: LogLine): void => {
  if (follower.stopped) return;
  try {
    follower.listener(line);
  } catch (cause) {
    throw new ListenerFailure('a follower of an engine log threw', { cause });
  }
};
