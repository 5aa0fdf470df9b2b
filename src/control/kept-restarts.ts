/**
 * How many restarts of each berth are on disk: what is shown is what the next daemon will know, so that a kill -9 between a
 * failure and its write takes nothing back that was told.
 *
 * A shelf that is looked over the shoulder of: it reads and writes as the one it is made from.
 */
import type { KeptMemory, Shelf } from '../state/store.ts';

export interface KeptRestarts {
  readonly memories: Shelf<KeptMemory>;
  /** 0: nothing of it is on disk. */
  of(berth: string): number;
  /** Another number whenever one of the counts is another one. */
  version(): number;
}

export const createKeptRestarts = (shelf: Shelf<KeptMemory>): KeptRestarts => {
  const counts = new Map<string, number>();
  let version = 0;
  const keep = (poolId: string, count: number): void => {
    if (counts.get(poolId) === count) return;
    counts.set(poolId, count);
    version += 1;
  };
  return {
    of: (poolId) => counts.get(poolId) ?? 0,
    version: () => version,
    memories: {
      read: async (id) => {
        const found = await shelf.read(id);
        if (found !== null) keep(id, found.restart.count);
        return found;
      },
      write: async (id, memory) => {
        await shelf.write(id, memory);
        keep(id, memory.restart.count);
      },
      remove: async (id) => {
        await shelf.remove(id);
        keep(id, 0);
        counts.delete(id);
      },
      list: async () => {
        const listing = await shelf.list();
        for (const { poolId, restart } of listing.values) keep(poolId, restart.count);
        return listing;
      },
    },
  };
};

/** Of a pool, by the berth in which it serves. */
interface Counted {
  readonly berth: string;
  readonly restarts: number;
}

/**
 * What is shown: no more than is on disk, and never less than was shown. An engine that has just taken another's place shows its
 * own count for a moment, before it is told that of the other, which it then goes on with.
 */
export const shownRestarts = (now: Counted, kept: number, before: Counted | null): number => {
  const shown = before?.restarts ?? 0;
  if (before !== null && before.berth !== now.berth && now.restarts < shown) return shown;
  return Math.min(now.restarts, Math.max(kept, shown));
};
