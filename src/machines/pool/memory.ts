/** What of a pool must survive a restart of the daemon. Pure. */
import type { PoolMemory, Stamp } from '../vocabulary.ts';
import type { Drain, PoolContext } from './context.ts';

/** While a recorded engine is being identified, what was recorded of it stays. */
export const memoryOf = (context: PoolContext): PoolMemory => ({
  version: 1,
  poolId: context.poolId,
  wanted: context.wanted,
  restart: context.restart,
  ...(context.recorded ?? {
    phase: context.phase,
    proof: context.phase === null ? null : context.proof,
    drain: context.phase === null ? null : drainMemory(context),
  }),
  retry: context.recordedRetry ?? retryMemory(context),
});

/** Only a wait whose end is known can be gone on with. */
const retryMemory = ({ retry, reason, specHash }: PoolContext): PoolMemory['retry'] => {
  if (retry === null || retry.at === null || retry.mono === null || reason === null) return null;
  const { code, message, at } = reason;
  return { delayMs: retry.delayMs, at: retry.at, mono: retry.mono, reason: { code, message, at }, specHash };
};

const drainMemory = ({ drain, run }: PoolContext): PoolMemory['drain'] =>
  drain && { why: drain.why, deadlineMono: drain.startedMono === null ? null : drain.startedMono + drain.deadlineMs, bootId: run?.bootId ?? null };

/** The recorded drain goes on with what is left of its deadline; the boot is the same, since the engine still runs. */
export const recalledDrain = ({ recorded, spec }: PoolContext, stamp: Stamp | null): Drain => {
  const mono = stamp?.mono ?? null;
  const drain = recorded?.drain ?? null;
  const isTimed = drain !== null && drain.deadlineMono !== null && mono !== null;
  const deadlineMs = isTimed ? Math.max(0, drain.deadlineMono - mono) : spec.timeouts.drain_ms;
  return { why: drain?.why ?? 'operator', deadlineMs, startedMono: mono, startedAt: stamp?.at ?? null, forced: false };
};
