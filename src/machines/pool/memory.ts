/** What of a pool must survive a restart of the daemon. Pure. */
import type { PoolMemory } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';

export const memoryOf = (context: PoolContext, phase: PoolMemory['phase']): PoolMemory => ({
  version: 1,
  poolId: context.poolId,
  wanted: context.wanted,
  restart: context.restart,
  phase,
  proof: phase === null ? null : context.proof,
  drain:
    context.drain === null || phase === null
      ? null
      : {
          why: context.drain.why,
          deadlineMono: context.drain.startedMono === null ? null : context.drain.startedMono + context.drain.deadlineMs,
          bootId: context.run?.bootId ?? null,
        },
});
