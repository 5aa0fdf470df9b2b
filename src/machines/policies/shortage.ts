/** Says why a pool does not fit: the numbers of each card, and what would free memory. Pure. */
import type { Cause } from '../vocabulary.ts';
import { publicIdOf } from './berths.ts';
import type { CardMemory } from './card-memory.ts';

export interface Shortage {
  readonly card: CardMemory;
  readonly needBytes: number;
  readonly availableBytes: number;
  readonly reserved: readonly { readonly poolId: string; readonly bytes: number }[];
  readonly comingBytes: number;
}

export const insufficientVram = (poolId: string, shortages: readonly Shortage[]): Cause => ({
  code: 'insufficient_vram',
  message: shortages.map((shortage) => `${numbers(poolId, shortage)}; ${remedy(shortage)}`).join('. '),
  details: {
    never_fits: shortages.some(neverFits),
    gpus: shortages.map(({ card, needBytes, availableBytes, reserved, comingBytes }) => ({
      gpu: card.key,
      need_bytes: needBytes,
      available_bytes: availableBytes,
      total_bytes: card.totalBytes,
      driver_free_bytes: card.freeBytes,
      reserved_not_resident_bytes: comingBytes,
      reserved: reserved.map((one) => ({ pool_id: publicIdOf(one.poolId), bytes: one.bytes })),
    })),
  },
});

/** It is too large for the whole card, whoever else is on it. */
const neverFits = ({ card, needBytes }: Pick<Shortage, 'card' | 'needBytes'>): boolean => card.totalBytes !== null && needBytes > card.totalBytes;

const numbers = (poolId: string, { card, needBytes, availableBytes, comingBytes }: Shortage): string =>
  `${card.label}: ${publicIdOf(poolId)} needs ${size(needBytes)}, available ${size(Math.max(0, availableBytes))} (total ${size(card.totalBytes)}, free by the driver ${size(card.freeBytes)}, promised to other pools and not yet used ${size(comingBytes)})`;

const remedy = ({ card, needBytes, reserved }: Shortage): string => {
  if (neverFits({ card, needBytes })) return 'it can never fit this card: a smaller model or quantisation, or more devices';
  const pools = reserved.map((one) => `draining ${publicIdOf(one.poolId)} frees ${size(one.bytes)}`);
  const strangers = card.processes
    .filter((process) => process.poolId === null)
    .map((process) => `ending pid ${process.pid}, not of any pool, frees ${size(process.usedBytes)}`);
  const ways = [...pools, ...strangers].slice(0, 8);
  return ways.length > 0 ? `${ways.join('; ')}` : 'nothing known of here holds the rest: see nvidia-smi for who does';
};

const size = (bytes: number | null): string => (bytes === null ? 'an unknown amount' : `${(bytes / 1024 ** 3).toFixed(2)} GiB`);
