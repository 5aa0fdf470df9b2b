/**
 * The VRAM ledger: which pool was promised how much of which cards, and whether one more fits.
 *
 * Pure. Of what the ledger has left and what the driver says is free, the smaller is believed. What is not known is not
 * guessed: a need or a card without numbers is granted with a note. Every reserved byte has one owner.
 */
import type { Cause, GpuRef, Inventory } from '../vocabulary.ts';
import { type CardMemory, cardMemory } from './card-memory.ts';
import { insufficientVram, type Shortage } from './shortage.ts';

export interface Reservation {
  /** Of all its cards together; null: not known, so nothing is held back for it. */
  readonly bytes: number | null;
  readonly gpuUuids: readonly string[];
  /** Shares by card in the order of `gpuUuids`; absent or null: even. */
  readonly tensorSplit?: readonly number[] | null;
}

export interface Ledger {
  readonly reservations: Readonly<Record<string, Reservation>>;
}

export interface Request {
  readonly poolId: string;
  readonly needBytes: number | null;
  readonly gpus: readonly GpuRef[];
  readonly inventory: Inventory;
  readonly tensorSplit?: readonly number[] | null;
}

export type Admission =
  | { readonly granted: true; readonly ledger: Ledger; readonly notes: readonly string[] }
  | { readonly granted: false; readonly cause: Cause };

export const emptyLedger: Ledger = { reservations: {} };

/** Asking again replaces the pool's own reservation. */
export const admit = (ledger: Ledger, request: Request): Admission => {
  const { poolId, needBytes, gpus, inventory, tensorSplit } = request;
  if (tensorSplit != null && tensorSplit.length !== gpus.length) return refuse(wrongSplit(tensorSplit.length, gpus.length));
  const wanted: Reservation = { bytes: needBytes, gpuUuids: gpus.map(({ uuid }) => uuid), tensorSplit: tensorSplit ?? null };
  const others = release(ledger, poolId);
  const shortages: Shortage[] = [];
  const notes: string[] = [];
  for (const [key, need] of needByCard(wanted, inventory)) {
    const card = cardByKey(wanted, key, inventory);
    if (card === null) return refuse(cardGone(key, inventory));
    const room = roomOn(card, others, inventory);
    if (need === null) notes.push(`${card.label}: what ${poolId} needs is not known, so its fit was not checked`);
    else if (room.availableBytes === null) notes.push(`${card.label}: its memory is not known, so the fit of ${poolId} was not checked`);
    else if (need > room.availableBytes) shortages.push({ card, needBytes: need, ...room, availableBytes: room.availableBytes });
    else if (card.totalBytes === null) notes.push(`${card.label}: its total memory is not known; only what the driver calls free was checked`);
  }
  if (shortages.length > 0) return refuse(insufficientVram(poolId, shortages));
  return { granted: true, ledger: reserve(others, poolId, wanted), notes };
};

/** Without asking whether it fits: for an engine that runs already. */
export const reserve = (ledger: Ledger, poolId: string, reservation: Reservation): Ledger => ({
  reservations: { ...ledger.reservations, [poolId]: reservation },
});

/** Releasing twice, or what was never reserved, changes nothing. */
export const release = (ledger: Ledger, poolId: string): Ledger => {
  const { [poolId]: _gone, ...reservations } = ledger.reservations;
  return { reservations };
};

/** Bytes promised on one GPU or MIG slice, unknown ones not counted. */
export const reservedOn = (ledger: Ledger, gpuUuid: string): number =>
  Object.values(ledger.reservations).reduce((sum, one) => sum + (sharesOf(one).find(({ uuid }) => uuid === gpuUuid)?.bytes ?? 0), 0);

const sharesOf = (reservation: Reservation): { readonly uuid: string; readonly bytes: number | null }[] =>
  reservation.gpuUuids.map((uuid, position) => ({
    uuid,
    bytes:
      reservation.bytes === null ? null : Math.ceil(reservation.bytes * (reservation.tensorSplit?.[position] ?? 1 / reservation.gpuUuids.length)),
  }));

/** Two slices of one GPU instance draw on the same memory: their shares add up. A UUID that is not there is its own key. */
const needByCard = (reservation: Reservation, inventory: Inventory): Map<string, number | null> => {
  const needs = new Map<string, number | null>();
  for (const { uuid, bytes } of sharesOf(reservation)) {
    const key = cardMemory(uuid, inventory)?.key ?? uuid;
    const before = needs.get(key);
    needs.set(key, bytes === null ? null : (before ?? 0) + bytes);
  }
  return needs;
};

const cardByKey = (reservation: Reservation, key: string, inventory: Inventory): CardMemory | null =>
  reservation.gpuUuids.map((uuid) => cardMemory(uuid, inventory)).find((card) => card?.key === key) ?? null;

interface Room {
  /** Null: neither total nor free memory of the card is known. */
  readonly availableBytes: number | null;
  readonly reserved: readonly { readonly poolId: string; readonly bytes: number }[];
  /** Promised to others and not yet in use by their engines. */
  readonly comingBytes: number;
}

const roomOn = (card: CardMemory, others: Ledger, inventory: Inventory): Room => {
  const reserved = Object.entries(others.reservations)
    .map(([poolId, reservation]) => ({ poolId, bytes: needByCard(reservation, inventory).get(card.key) ?? 0 }))
    .filter(({ bytes }) => bytes > 0);
  const comingBytes = notYetResident(card, reserved);
  const byLedger = card.totalBytes === null ? null : card.totalBytes - reserved.reduce((sum, { bytes }) => sum + bytes, 0);
  const byDriver = card.freeBytes === null ? null : card.freeBytes - comingBytes;
  const availableBytes = byLedger === null || byDriver === null ? (byLedger ?? byDriver) : Math.min(byLedger, byDriver);
  return { availableBytes, reserved, comingBytes };
};

/**
 * Where the inventory names the pool of each process, its use counts against its own reservation. Where it does not, whatever
 * is in use and not another pool's counts against the reservations: otherwise engines that run would be counted twice.
 */
const notYetResident = (card: CardMemory, reserved: Room['reserved']): number => {
  const residents = reserved.map(({ poolId, bytes }) => ({ bytes, resident: residentOf(poolId, card) }));
  const known = residents.flatMap(({ bytes, resident }) => (resident === null ? [] : [{ bytes, resident }]));
  const unknown = residents.filter(({ resident }) => resident === null).reduce((sum, { bytes }) => sum + bytes, 0);
  const unclaimed = Math.max(0, (card.usedBytes ?? 0) - known.reduce((sum, { resident }) => sum + resident, 0));
  return known.reduce((sum, { bytes, resident }) => sum + Math.max(0, bytes - resident), 0) + Math.max(0, unknown - unclaimed);
};

/** An empty list says nothing: containers and WSL hide processes. */
const residentOf = (poolId: string, { processes }: CardMemory): number | null => {
  if (processes.length === 0 || processes.some((process) => process.poolId === undefined)) return null;
  const own = processes.filter((process) => process.poolId === poolId);
  return own.some(({ usedBytes }) => usedBytes === null) ? null : own.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0);
};

const refuse = (cause: Cause): Admission => ({ granted: false, cause });

const cardGone = (uuid: string, inventory: Inventory): Cause => ({
  code: 'gpu_missing',
  message: `expected GPU ${uuid}, found ${inventory.gpus.map((gpu) => gpu.uuid).join(', ') || 'no GPU at all'}; the pool starts by itself once it is back`,
});

const wrongSplit = (found: number, expected: number): Cause => ({
  code: 'invalid_spec',
  message: `tensor_split: expected ${expected} shares, one for each of the pool's devices, found ${found}; correct the pools file`,
});
