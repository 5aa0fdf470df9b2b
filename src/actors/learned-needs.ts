/**
 * What the engine of a pool was measured to hold of its GPUs at earlier starts of the same spec: better than an estimate, where there
 * is one. Kept on disk, and in memory for whoever asks.
 *
 * Only of llama-server: engines that take the fraction they are given hold what they were given, whatever they need.
 */
import { publicIdOf } from '../machines/policies/berths.ts';
import type { Cause, PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import type { LearnedRecord, Shelf } from '../state/store.ts';

export interface LearnedNeeds {
  /** Null: nothing is known of this spec. */
  needOf(spec: PoolSpec): number | null;
  /** Rejects where it cannot be kept on disk; it is known all the same. */
  note(run: RunRecord, vramBytes: number): Promise<void>;
  /** The pool is gone. */
  forget(poolId: string): Promise<void>;
}

export interface LearnedNeedsDeps {
  readonly shelf: Shelf<LearnedRecord>;
  readonly hashOf: (spec: PoolSpec) => string;
  /** What could not be read and was set aside. */
  readonly onTrouble: (cause: Cause) => void;
}

/** What is made at the first large request: workspaces of matrix products, further graphs. */
const growth = 1.05;
const growthBytes = 256 * 1024 * 1024;

export const openLearnedNeeds = async ({ shelf, hashOf, onTrouble }: LearnedNeedsDeps): Promise<LearnedNeeds> => {
  const { values, setAside } = await shelf.list();
  for (const { cause } of setAside) onTrouble(cause);
  const known = new Map(values.map((record) => [record.poolId, record]));
  return {
    needOf: (spec) => {
      const record = known.get(spec.id);
      if (record === undefined || !learnsFrom(spec) || record.specHash !== hashOf(spec)) return null;
      return Math.ceil(record.vramBytes * growth) + growthBytes;
    },
    note: async ({ poolId: berth, spec, specHash, simulated }, vramBytes) => {
      if (simulated || !learnsFrom(spec)) return;
      const poolId = publicIdOf(berth);
      const before = known.get(poolId);
      const same = before?.specHash === specHash ? before : null;
      const record: LearnedRecord = {
        version: 1,
        poolId,
        specHash,
        vramBytes: Math.max(vramBytes, same?.vramBytes ?? 0),
        starts: (same?.starts ?? 0) + 1,
      };
      known.set(poolId, record);
      await shelf.write(poolId, record);
    },
    forget: async (poolId) => {
      known.delete(poolId);
      await shelf.remove(poolId);
    },
  };
};

const learnsFrom = ({ engine }: PoolSpec): boolean => engine === 'llamacpp';
