/** Types, actors, guards and delays of the node chart. `actions.ts` adds what is done; `machine.ts` draws the chart. */
import { setup } from 'xstate';
import type { NodeEvent } from '../events.ts';
import { deregisterLimitMs } from '../policies/heartbeat.ts';
import { adoptionLimitMs, shutdownLimitMs } from '../policies/limits.ts';
import { stormOverMs } from '../policies/storm.ts';
import { nodeActors } from './actors.ts';
import type { NodeContext, NodeInput } from './context.ts';
import { guards } from './guards.ts';

export const base = setup({
  types: {} as { context: NodeContext; events: NodeEvent; input: NodeInput },
  actors: nodeActors,
  guards,
  delays: {
    adoptionLimit: adoptionLimitMs,
    shutdownLimit: ({ context }) =>
      shutdownLimitMs(Object.values(context.roster).flatMap(({ declared }) => (declared === null ? [] : [declared.spec]))),
    deregisterLimit: deregisterLimitMs,
    stormOver: stormOverMs,
  },
});
