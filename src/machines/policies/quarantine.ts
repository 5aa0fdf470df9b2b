/**
 * Cards on which nothing may be put: a process there will not die, or memory of an engine that ended is not back.
 *
 * Pure. The first kind is lifted by whoever asked for it; the second by the memory, at the next look at the card.
 */
import type { Cause, GpuRef, Inventory } from '../vocabulary.ts';
import { publicIdOf } from './berths.ts';
import { heldMemory } from './held-memory.ts';

export interface Quarantine {
  /** Of the pool whose remains they are. */
  readonly poolId: string;
  readonly gpus: readonly GpuRef[];
  readonly cause: Cause;
}

/** By pool. */
export type Quarantines = Readonly<Record<string, Quarantine>>;

const isHeldMemory = ({ cause }: Quarantine): boolean => cause.code === 'vram_not_released';

/** Without those whose memory is back, or of whose cards nothing is known any more. */
export const afterLook = (quarantines: Quarantines, inventory: Inventory): Quarantines => {
  const kept = Object.values(quarantines).filter((one) => !isHeldMemory(one) || heldMemory(one.gpus, new Set(), inventory).released === false);
  return kept.length === Object.keys(quarantines).length ? quarantines : Object.fromEntries(kept.map((one) => [one.poolId, one]));
};

export const lifted = (quarantines: Quarantines, poolId: string): Quarantines => {
  const { [poolId]: _gone, ...others } = quarantines;
  return others;
};

export const quarantineOf = (quarantines: Quarantines, uuid: string): Quarantine | null =>
  Object.values(quarantines).find(({ gpus }) => gpus.some((gpu) => gpu.uuid === uuid)) ?? null;

/** Why a pool may not be put on these cards; null: it may. */
export const refusalOn = (quarantines: Quarantines, gpus: readonly GpuRef[]): Cause | null => {
  for (const { uuid, index } of gpus) {
    const found = quarantineOf(quarantines, uuid);
    if (found === null) continue;
    const code = isHeldMemory(found) ? 'vram_not_released' : 'gpu_unhealthy';
    return {
      code,
      message: `GPU ${index} (${uuid}) is in quarantine for what pool ${publicIdOf(found.poolId)} left there: ${found.cause.message}; it is used again by itself once that is gone`,
      details: { gpu: uuid, left_by: publicIdOf(found.poolId) },
    };
  }
  return null;
};
