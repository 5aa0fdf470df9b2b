/** Types, actors, guards and delays of the pool chart. `actions.ts` adds what is done; `states/` draw the chart. */
import { setup } from 'xstate';
import type { PoolEvent } from '../events.ts';
import {
  acknowledgeLimitMs,
  admissionLimitMs,
  blockedRetryMs,
  breakerStableMs,
  explainLimitMs,
  startLeftMs,
  startMaxMs,
  stopAgainMs,
  stuckRetryMs,
} from '../policies/limits.ts';
import { poolActors } from './actors.ts';
import type { PoolContext, PoolInput } from './context.ts';
import { stampOf } from './failure.ts';
import { guards } from './guards.ts';

export const base = setup({
  types: {} as { context: PoolContext; events: PoolEvent; input: PoolInput; tags: 'accepting' | 'live' | 'settling' },
  actors: poolActors,
  guards,
  delays: {
    admissionLimit: admissionLimitMs,
    acknowledgeLimit: acknowledgeLimitMs,
    explainLimit: explainLimitMs,
    blockedRetry: blockedRetryMs,
    breakerStable: breakerStableMs,
    stuckRetry: stuckRetryMs,
    stopAgain: stopAgainMs,
    startMax: ({ context: { spec, model, run }, event }) => {
      const elapsedMs = (stampOf(event)?.mono ?? run?.startedMono ?? 0) - (run?.startedMono ?? 0);
      return startLeftMs(startMaxMs(spec, model), spec.timeouts.start_stall_ms, elapsedMs);
    },
    stable: ({ context }) => context.spec.restart.stable_ms,
    drainDeadline: ({ context }) => context.drain?.deadlineMs ?? context.spec.timeouts.drain_ms,
    retryDelay: ({ context }) => context.retry?.delayMs ?? context.spec.restart.initial_ms,
  },
});
