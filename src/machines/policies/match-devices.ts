/**
 * A pool's `devices` against the cards that are there → the cards it is pinned to, in the order declared.
 *
 * Pure. An index is resolved to a UUID here and nowhere else; nothing spills to another card, and a card in MIG mode is used
 * slice by slice.
 */
import type { Cause, GpuFact, GpuRef, Inventory, PoolSpec } from '../vocabulary.ts';

export type DeviceMatch = { readonly matched: true; readonly gpus: readonly GpuRef[] } | { readonly matched: false; readonly cause: Cause };

export const matchDevices = (devices: PoolSpec['devices'], inventory: Inventory): DeviceMatch => {
  const found = devices.map((device) => ({ device, ref: find(device, inventory) }));
  const gpus = found.flatMap(({ ref }) => (typeof ref === 'object' ? [ref] : []));
  if (devices.length === 0) return invalid('devices: expected at least one GPU index or UUID, found none; name the GPUs of this pool');
  if (gpus.length < devices.length) return { matched: false, cause: missing(found, inventory) };
  const twice = gpus.find((gpu, position) => gpus.findIndex(({ uuid }) => uuid === gpu.uuid) !== position);
  if (twice !== undefined) return invalid(`devices: expected each GPU once, but ${twice.uuid} (index ${twice.index}) is named twice; name it once`);
  return { matched: true, gpus };
};

/** Where a pool is to be. `pinned`: what its devices were resolved to, once. */
export interface Placed {
  readonly devices: PoolSpec['devices'];
  readonly pinned: readonly GpuRef[] | null;
}

/** Pinned cards are looked for by UUID; devices that were never resolved, as they are declared. */
export const matchEntry = ({ devices, pinned }: Placed, inventory: Inventory): DeviceMatch =>
  matchDevices(pinned?.map(({ uuid }) => uuid) ?? devices, inventory);

type Found = GpuRef | 'absent' | 'in MIG mode';

const find = (device: number | string, { gpus }: Inventory): Found => {
  const wanted = typeof device === 'string' ? device.toLowerCase() : device;
  for (const gpu of gpus) {
    if (gpu.index === wanted || gpu.uuid.toLowerCase() === wanted) return gpu.mig == null ? { index: gpu.index, uuid: gpu.uuid } : 'in MIG mode';
    const slice = gpu.mig?.find(({ uuid }) => uuid.toLowerCase() === wanted);
    if (slice !== undefined) return { index: gpu.index, uuid: slice.uuid };
  }
  return 'absent';
};

const missing = (found: readonly { readonly device: number | string; readonly ref: Found }[], inventory: Inventory): Cause => {
  const lacking = found.filter(({ ref }) => typeof ref !== 'object');
  const there = inventory.gpus.flatMap(describe);
  return {
    code: 'gpu_missing',
    message: `expected ${lacking.map(({ device, ref }) => `GPU ${device} (${ref})`).join(', ')}; found ${there.length === 0 ? 'no GPU at all' : there.join(', ')}; ${advice(lacking.map(({ ref }) => ref))}`,
    details: { missing: lacking.map(({ device }) => device), found: there },
  };
};

const describe = (gpu: GpuFact): string[] => [
  `${gpu.index} ${gpu.uuid} ${gpu.name}${gpu.mig == null ? '' : ' (MIG mode)'}`,
  ...(gpu.mig ?? []).map((slice) => `${slice.uuid} ${slice.profile ?? 'slice'} of GPU ${gpu.index}`),
];

const advice = (lacking: readonly Found[]): string =>
  lacking.includes('in MIG mode')
    ? 'a card in MIG mode is used by the UUIDs of its slices: name one in devices'
    : 'correct devices in the pools file, or bring the card back; the pool starts by itself once it is there';

const invalid = (message: string): DeviceMatch => ({ matched: false, cause: { code: 'invalid_spec', message } });
