/**
 * What a stopped engine still holds of its cards, from one look at them.
 *
 * Pure. Released means: no process of the pool on its GPUs, and at most 512 MiB in use that no known process explains. Not "back
 * to a baseline": neighbours move. `used` is the driver's own figure, since `total - free` counts what the driver keeps for
 * itself, which alone is more than 512 MiB on large cards.
 */
import type { GpuProcess, GpuRef, Inventory } from '../vocabulary.ts';

export const unaccountedToleranceBytes = 512 * 1024 * 1024;

export interface Held {
  /** Null: nothing can be known: a card is gone, or does not tell its memory. */
  readonly released: boolean | null;
  /** Unaccounted memory and that of the pool's processes, over all its cards; null: not known. */
  readonly bytes: number | null;
}

export const heldMemory = (gpus: readonly GpuRef[], poolPids: ReadonlySet<number>, inventory: Inventory): Held => {
  const looks = gpus.map((gpu) => lookAt(gpu, poolPids, inventory));
  const bytes = looks.reduce<number | null>((sum, look) => (sum === null || look.bytes === null ? null : sum + look.bytes), 0);
  if (looks.some((look) => look.released === false)) return { released: false, bytes };
  return { released: looks.some((look) => look.released === null) ? null : true, bytes };
};

const lookAt = (gpu: GpuRef, poolPids: ReadonlySet<number>, inventory: Inventory): Held => {
  const card = cardOf(gpu, inventory);
  if (card === null) return { released: null, bytes: null };
  const own = card.processes.filter(({ pid }) => poolPids.has(pid));
  const unaccounted = card.usedBytes === null ? null : Math.max(0, card.usedBytes - uses(card.processes));
  const bytes = unaccounted === null ? null : unaccounted + uses(own);
  if (own.length > 0) return { released: false, bytes };
  if (unaccounted === null) return { released: null, bytes };
  if (unaccounted <= unaccountedToleranceBytes) return { released: true, bytes };
  return { released: card.processes.some(({ usedBytes }) => usedBytes === null) ? null : false, bytes };
};

interface CardUse {
  readonly usedBytes: number | null;
  readonly processes: readonly GpuProcess[];
}

const cardOf = ({ uuid }: GpuRef, { gpus }: Inventory): CardUse | null => {
  for (const gpu of gpus) {
    if (gpu.uuid === uuid) return { usedBytes: gpu.memoryUsedBytes, processes: gpu.processes };
    const slice = gpu.mig?.find((one) => one.uuid === uuid);
    if (slice !== undefined) {
      return {
        usedBytes: slice.memoryUsedBytes,
        processes: gpu.processes.filter(({ gpuInstanceId }) => gpuInstanceId === slice.gpuInstanceId),
      };
    }
  }
  return null;
};

const uses = (processes: readonly GpuProcess[]): number => processes.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
