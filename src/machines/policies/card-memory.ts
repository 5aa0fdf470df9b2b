/**
 * The memory that a GPU or MIG UUID stands for, as one inventory tells it.
 *
 * Pure. Slices of one GPU instance share their memory, so they share a key.
 */
import type { GpuProcess, Inventory } from '../vocabulary.ts';

export interface CardMemory {
  /** Equal for UUIDs that draw on the same memory. */
  readonly key: string;
  readonly label: string;
  readonly totalBytes: number | null;
  readonly usedBytes: number | null;
  readonly freeBytes: number | null;
  readonly processes: readonly GpuProcess[];
}

export const cardMemory = (uuid: string, inventory: Inventory): CardMemory | null => {
  for (const gpu of inventory.gpus) {
    if (gpu.uuid === uuid) {
      return {
        key: gpu.uuid,
        label: `GPU ${gpu.index} (${gpu.name})`,
        ...amounts(gpu),
        processes: gpu.processes,
      };
    }
    const slice = gpu.mig?.find((one) => one.uuid === uuid);
    if (slice !== undefined) {
      return {
        key: `${gpu.uuid}/${slice.gpuInstanceId}`,
        label: `MIG ${slice.profile ?? uuid} of GPU ${gpu.index} (${gpu.name})`,
        ...amounts(slice),
        processes: gpu.processes.filter(({ gpuInstanceId }) => gpuInstanceId === slice.gpuInstanceId),
      };
    }
  }
  return null;
};

interface Amounts {
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
}

/** `used` is not `total - free`: newer drivers keep some for themselves and say so in neither. */
const amounts = ({ memoryTotalBytes: total, memoryUsedBytes: used, memoryFreeBytes: free }: Amounts) => ({
  totalBytes: total,
  usedBytes: used ?? (total !== null && free !== null ? total - free : null),
  freeBytes: free,
});
