/** What engines wrote, for the HTTP rim: the end of a run, and what comes. Knows pools only by the names of their directories. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { LogsPort } from '../http/ports.ts';
import { followPool, type PoolFollowing } from './follow-pool.ts';
import { longestLine } from './lines.ts';
import { beginning } from './lines-after.ts';
import { newFailures } from './new-failures.ts';
import { endNow, listRuns, poolLogDir } from './runs.ts';
import { steadily } from './steadily.ts';
import { tailOf } from './tail.ts';

export interface LogsPortOptions {
  readonly stateDir: string;
  /** Between two looks while somebody follows; a hint from the file system comes sooner. */
  readonly intervalMs?: number;
  /** A log could not be read for a follower, and is read again at the next look; or a listener threw, and is cut off. Told once a minute. */
  readonly onFailure?: (error: unknown) => void;
}

export const createLogsPort = ({ stateDir, intervalMs = 250, ...options }: LogsPortOptions): LogsPort => {
  const onFailure = newFailures(options.onFailure);
  const followed = new Map<string, PoolFollowing>();
  const following = (dir: string): PoolFollowing => {
    const found = followed.get(dir) ?? followPool({ dir, intervalMs, onFailure, onIdle: () => followed.delete(dir) });
    followed.set(dir, found);
    return found;
  };
  return {
    read: (poolId, { tail, run }) =>
      steadily(async () => {
        const found = (await listRuns(poolLogDir(stateDir, poolId))).at(run === 'current' ? -1 : -2);
        return found === undefined ? null : tailOf(found, tail, run === 'previous');
      }),
    follow: (poolId, afterOffset, listener) => {
      const dir = poolLogDir(stateDir, poolId);
      return following(dir).add(afterOffset ?? fromNow(dir), listener);
    },
  };
};

/** The start of the line that is being written, so that it is told whole. */
const fromNow = (dir: string): number => {
  const now = endNow(dir);
  if (now === null) return beginning;
  const size = now.end - now.offset;
  const bytes = Buffer.alloc(Math.min(size, longestLine));
  const fd = openSync(now.log, 'r');
  try {
    const got = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
    const newline = bytes.subarray(0, got).lastIndexOf(10);
    if (newline >= 0) return now.end - bytes.length + newline + 1;
    return bytes.length < longestLine ? now.offset : now.end;
  } finally {
    closeSync(fd);
  }
};
