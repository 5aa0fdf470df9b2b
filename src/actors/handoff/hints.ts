/**
 * Hints that something in a directory changed, from inotify. Only hints: the queue overflows silently, network file systems
 * send none, and a directory made anew is another directory.
 *
 * `renew` is called by every rescan; it watches again when the directory is another one, or when watching failed a while ago.
 */
import { type FSWatcher, watch } from 'node:fs';
import { lstat } from 'node:fs/promises';

export interface Hints {
  renew(): Promise<void>;
  close(): void;
}

/** Out of inotify instances or watches: polling goes on meanwhile, at its interval. */
const tryAgainMs = 30_000;

export const makeHints = (dir: string, hint: () => void): Hints => {
  let watcher: FSWatcher | null = null;
  let watched: string | null = null;
  let failedAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  const forget = (): void => {
    watcher?.close();
    watcher = null;
    watched = null;
  };
  const fail = (): void => {
    forget();
    failedAt = performance.now();
  };

  return {
    renew: async () => {
      const identity = await directoryOf(dir);
      if (closed || (watcher !== null && watched === identity)) return;
      forget();
      if (identity === null || performance.now() - failedAt < tryAgainMs) return;
      try {
        // Not chokidar: it throttles a replaced file by 30 ms, and all that is wanted here is a nudge.
        watcher = watch(dir, { persistent: false }, hint);
        watcher.on('error', fail);
        watched = identity;
      } catch {
        fail();
      }
    },
    close: () => {
      closed = true;
      forget();
    },
  };
};

const directoryOf = (dir: string): Promise<string | null> =>
  lstat(dir, { bigint: true }).then(
    (found) => (found.isDirectory() ? `${found.dev}:${found.ino}` : null),
    () => null,
  );
