/**
 * Writes beside each process on a card the pool whose engine it belongs to.
 *
 * Decides nothing; whose process is whose is handed in. When that cannot be said the processes stay unnamed, which the ledger
 * and the views understand as "nobody looked".
 */
import type { Inventory } from '../machines/vocabulary.ts';

/** Pids of the engine trees of all pools → pool id. */
export type Owners = () => Promise<ReadonlyMap<number, string>>;

export const nameOwners = async (inventory: Inventory, owners: Owners | undefined): Promise<Inventory> => {
  if (owners === undefined || inventory.gpus.every((gpu) => gpu.processes.length === 0)) return inventory;
  const poolOf = await owners().catch(() => null);
  if (poolOf === null) return inventory;
  const gpus = inventory.gpus.map((gpu) => ({
    ...gpu,
    processes: gpu.processes.map((process) => ({ ...process, poolId: process.poolId ?? poolOf.get(process.pid) ?? null })),
  }));
  return { ...inventory, gpus };
};
