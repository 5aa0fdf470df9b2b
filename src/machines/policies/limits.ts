/** How long the waits of a pool may last, in milliseconds. Pure; the pools file's `timeouts` come first. */
import type { Load, ModelPresent, PoolSpec } from '../vocabulary.ts';

/** The node answers an admission at once; silence means it is broken. */
export const admissionLimitMs = 5_000;
/** How long a drain waits for the control plane to take note. */
export const acknowledgeLimitMs = 2_000;
/** How long an engine that failed its probes may take to answer again. */
export const healthGraceMs = 30_000;
/** The same of one that had nothing to do: nobody's work is lost with it. */
export const idleGraceMs = 10_000;
/** The least that is left of it under another daemon: it has yet to ask the engine. */
export const recalledGraceMs = 3_000;
/** A blocked pool looks again by itself, in case a sign was missed. */
export const blockedRetryMs = 30_000;
/** Why an engine ended is found out within a second, or not at all. */
export const explainLimitMs = 2_000;
/** A tree that could not be watched is looked at again; an engine whose end could not be ordered is ended again. */
export const stuckRetryMs = 5_000;
/** What would not die is told to once more: whoever was to end it may not have got so far. */
export const stopAgainMs = 5 * 60_000;
/** Stable this long after a half-open start closes the breaker. */
export const breakerStableMs = 60_000;

/** How long an engine that failed its probes may take, by what was last known of its work; unknown is not idle, and one that flaps waits it out. */
export const graceMs = ({ inFlight }: Load, flaps: boolean): number => (inFlight === 0 && !flaps ? idleGraceMs : healthGraceMs);

const startFloorMs = 10 * 60_000;
const slowestBytesPerMs = 20_000;

/** Cap on loading and proving: the configured one, or ten minutes plus the model's size at 20 MB/s. */
export const startMaxMs = (spec: PoolSpec, model: ModelPresent | null): number =>
  spec.timeouts.start_max_ms ?? startFloorMs + Math.ceil((model?.bytes ?? 0) / slowestBytesPerMs);

/**
 * What of the cap is left `elapsedMs` after the process started. Never less than a stall may last: an engine that was adopted
 * while it loads is not ended because the daemon was away.
 */
export const startLeftMs = (limitMs: number, stallMs: number, elapsedMs: number): number => Math.max(limitMs - elapsedMs, Math.min(limitMs, stallMs));

/** Adoptions that take longer go on in the background; the node serves meanwhile. */
export const adoptionLimitMs = 2_000;

const stopSlackMs = 20_000;

/** How long a node that takes its engines with it waits for the slowest of them: drain, grace, KILL, release. */
export const shutdownLimitMs = (specs: readonly PoolSpec[]): number =>
  specs.reduce((longest, { timeouts: { drain_ms, stop_ms, vram_release_ms } }) => Math.max(longest, drain_ms + stop_ms + vram_release_ms), 0) +
  stopSlackMs;
