/**
 * A pool: one engine, from declared to gone. The six states are the public words; everything finer is a child.
 *
 * uninitialized → provisioning → starting → ready → draining → offline → (provisioning …)
 *
 * Pure. What happens in the world is named in `actors.ts` and provided by the daemon.
 */
import { pool } from './actions.ts';
import { initialContext } from './context.ts';
import { draining } from './states/draining.ts';
import { offline } from './states/offline.ts';
import { provisioning } from './states/provisioning.ts';
import { ready } from './states/ready.ts';
import { starting } from './states/starting.ts';
import { uninitialized } from './states/uninitialized.ts';

export const poolMachine = pool.createMachine({
  id: 'pool',
  context: ({ input }) => initialContext(input),
  invoke: { id: 'memory', src: 'keepMemory', input: ({ context }) => ({ poolId: context.poolId }) },
  initial: 'uninitialized',
  states: {
    uninitialized,
    provisioning,
    starting,
    ready,
    draining,
    offline,
    /** Removed; the actor is done. */
    ended: { type: 'final', entry: ['giveUpReload', 'announceEnd'] },
  },
  on: {
    'engine.sampled': { actions: { type: 'keepSample', params: ({ event }) => event } },
    'handoff.appeared': { actions: { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'judge' }) } },
    'gpus.matched': { actions: { type: 'keepGpus', params: ({ event }) => event } },
    'spec.adjusted': { guard: { type: 'isOfOwnSpec', params: ({ event }) => event }, actions: { type: 'adjustSpec', params: ({ event }) => event } },
    'pool.succeeded': { actions: [{ type: 'carryRestarts', params: ({ event }) => event }, 'saveMemory'] },
    'pool.filed': { actions: 'takeFileAsOrigin' },
    'reload.concluded': { actions: { type: 'noteReload', params: ({ event }) => event } },
    'memory.failed': { actions: { type: 'noteMemoryFailure', params: ({ event }) => event } },
    'memory.kept': { actions: 'clearMemoryFailure' },
  },
});

export type PoolMachine = typeof poolMachine;
