/**
 * When a pool may be started again: exponential backoff, a rolling window with a breaker, resets.
 *
 * Pure. Times are monotonic milliseconds of one boot; jitter is a hash of pool and attempt, so that a replay sees the
 * same delays.
 */
import { type ReasonCode, reasonRow } from '../reasons.ts';
import type { PoolSpec, RestartMemory } from '../vocabulary.ts';
import { jittered } from './backoff.ts';

const breakerFirstMs = 5 * 60_000;
const breakerMaxMs = 60 * 60_000;
const spread = 0.25;

export const freshRestart: RestartMemory = { count: 0, attempt: 0, startsMono: [], opened: 0 };

/** An engine is being started at `mono`. */
export const noteStart = (memory: RestartMemory, limits: PoolSpec['restart'], mono: number): RestartMemory => ({
  ...memory,
  startsMono: [...recentStarts(memory, limits, mono), mono].slice(-limits.max_restarts),
});

export interface Backoff {
  readonly memory: RestartMemory;
  readonly delayMs: number;
  /** The breaker is open: one start after the delay, and a failure opens it for twice as long. */
  readonly crashLoop: boolean;
}

/** The pool failed with `code` and will be tried again. `mono` is null where a timer said so: then every start counts as recent. */
export const noteFailure = (memory: RestartMemory, limits: PoolSpec['restart'], code: ReasonCode, mono: number | null, seed: string): Backoff => {
  const recent = mono === null ? memory.startsMono : recentStarts(memory, limits, mono);
  const crashLoop = memory.opened > 0 || recent.length >= limits.max_restarts;
  const opened = crashLoop ? memory.opened + 1 : 0;
  const base = crashLoop
    ? Math.min(breakerFirstMs * 2 ** (opened - 1), breakerMaxMs)
    : Math.min(limits.initial_ms * 2 ** memory.attempt * (reasonRow(code).slower ? 2 : 1), limits.max_ms);
  return {
    memory: { count: memory.count + 1, attempt: memory.attempt + 1, startsMono: recent, opened },
    delayMs: jittered(base, spread, `${seed}:${memory.count}`),
    crashLoop,
  };
};

/** Stable long enough: only the count of all restarts is kept. */
export const noteStable = (memory: RestartMemory): RestartMemory => ({ ...freshRestart, count: memory.count });

/** Stable long enough after a half-open start to close the breaker, not yet to forget the backoff. */
export const closeBreaker = (memory: RestartMemory): RestartMemory => (memory.opened === 0 ? memory : { ...memory, opened: 0, startsMono: [] });

/** A start later than now was in another boot. */
const recentStarts = ({ startsMono }: RestartMemory, { window_ms }: PoolSpec['restart'], mono: number): readonly number[] =>
  startsMono.filter((start) => start <= mono && mono - start < window_ms);
