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
  /** A new spec waits for the old engine to be gone. */
  readonly hasNextSpec: boolean;
  /** A new spec is being tried and the old one is known. */
  readonly mayRollBack: boolean;
  readonly reason: ReasonCode | null;
}

export const settle = (input: SettleInput): Settlement => {
  if (input.removing) return 'ended';
  if (input.shuttingDown || input.wanted === 'down') return 'stopped';
  if (input.hasNextSpec) return 'again';
  if (input.reason === null) return 'again';
  const { endsIn } = reasonRow(input.reason);
  if (endsIn === 'again') return 'again';
  if (endsIn === 'stopped') return wasAnOrder(input.reason) && input.origin !== 'attached' ? 'again' : 'stopped';
  if (input.mayRollBack) return 'rollback';
  return endsIn === 'stuck' ? 'backingOff' : endsIn;
};

/** An order that was taken back since: the pool is wanted up again. */
const wasAnOrder = (reason: ReasonCode): boolean => reason === 'operator' || reason === 'drained';
