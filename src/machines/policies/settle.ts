/**
 * Where a pool without an engine comes to rest: the one place that weighs what is wanted against why it stopped.
 *
 * Pure. Every way into `offline` passes through here.
 */
import { type ReasonCode, reasonRow } from '../reasons.ts';
import type { PoolOrigin, Wanted } from '../vocabulary.ts';

export type Settlement = 'ended' | 'again' | 'rollback' | 'stopped' | 'blocked' | 'failed' | 'backingOff';

export interface SettleInput {
  readonly origin: PoolOrigin;
  readonly wanted: Wanted;
  readonly removing: boolean;
  readonly shuttingDown: boolean;
  /** Another engine of the pool serves on. */
  readonly beside: boolean;
  /** A new spec waits for the old engine to be gone. */
  readonly hasNextSpec: boolean;
  /** A new spec is being tried and the old one is known. */
  readonly mayRollBack: boolean;
  /** The GPUs of the spec are known to be missing. */
  readonly lacksGpus: boolean;
  readonly reason: ReasonCode | null;
}

export const settle = (input: SettleInput): Settlement => {
  if (input.removing || input.beside) return 'ended';
  if (input.shuttingDown || input.wanted === 'down') return 'stopped';
  if (input.origin === 'attached') return endOf(input.reason) === 'stopped' ? 'stopped' : 'backingOff';
  // Whatever comes next would stand on the same memory.
  if (input.reason === 'vram_not_released') return 'blocked';
  if (input.hasNextSpec) return 'again';
  const settlement = byReason(input);
  return input.lacksGpus && (settlement === 'again' || settlement === 'backingOff') ? 'blocked' : settlement;
};

const byReason = ({ reason, mayRollBack }: SettleInput): Settlement => {
  if (reason === null || wasAnOrder(reason)) return 'again';
  return mayRollBack ? 'rollback' : endOf(reason);
};

const endOf = (reason: ReasonCode | null): Settlement => {
  if (reason === null) return 'again';
  const { endsIn } = reasonRow(reason);
  return endsIn === 'stuck' ? 'backingOff' : endsIn;
};

/** An order that was taken back since: the pool is wanted up again. */
const wasAnOrder = (reason: ReasonCode): boolean => reason === 'operator' || reason === 'drained';
