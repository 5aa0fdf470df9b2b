/** Types, actors, guards and delays of the pool chart. `actions.ts` adds what is done; `states/` draw the chart. */
import { setup } from 'xstate';
import type { PoolEvent } from '../events.ts';
import { acknowledgeLimitMs, admissionLimitMs, blockedRetryMs, breakerStableMs, healthGraceMs, startMaxMs } from '../policies/limits.ts';
import { poolActors } from './actors.ts';
import type { PoolContext, PoolInput } from './context.ts';
import { guards } from './guards.ts';

export const base = setup({
  types: {} as { context: PoolContext; events: PoolEvent; input: PoolInput; tags: 'accepting' | 'live' | 'settling' },
  actors: poolActors,
  guards,
  delays: {
    admissionLimit: admissionLimitMs,
    acknowledgeLimit: acknowledgeLimitMs,
    blockedRetry: blockedRetryMs,
    breakerStable: breakerStableMs,
    startMax: ({ context }) => startMaxMs(context.spec, context.model),
    stable: ({ context }) => context.spec.restart.stable_ms,
    drainDeadline: ({ context }) => (context.drain?.why === 'health' ? healthGraceMs : (context.drain?.deadlineMs ?? context.spec.timeouts.drain_ms)),
    retryDelay: ({ context }) => context.retry?.delayMs ?? context.spec.restart.initial_ms,
  },
});
