/**
 * Remembers which pools orchestratord has heard of, so that one which is gone is reported as not ready until a heartbeat
 * that said so was accepted. Bounded by the pools that were ever sent and not yet taken back.
 */
import type { PoolStatus } from '../machines/views.ts';
import type { RemovedPool } from './wire.ts';

export interface RemovedPools {
  /** Pools the server may still believe in that are not in `pools`. */
  readonly missingFrom: (pools: readonly PoolStatus[]) => readonly RemovedPool[];
  /** These are being sent; whether the answer arrives or not, the server may know them from now on. */
  readonly sent: (pools: readonly PoolStatus[]) => void;
  /** The server took note that these are gone. */
  readonly acknowledged: (removed: readonly RemovedPool[]) => void;
}

export const createRemovedPools = (): RemovedPools => {
  const heardOf = new Map<string, string>();
  return {
    missingFrom: (pools) => {
      const here = new Set(pools.map((pool) => pool.pool_id));
      return [...heardOf].filter(([poolId]) => !here.has(poolId)).map(([poolId, engine]) => ({ poolId, engine }));
    },
    sent: (pools) => {
      for (const pool of pools) heardOf.set(pool.pool_id, pool.engine);
    },
    acknowledged: (removed) => {
      for (const pool of removed) heardOf.delete(pool.poolId);
    },
  };
};
