/**
 * The health of one card.
 *
 * healthy ⇄ suspect → unhealthy → quarantined, lost → recovering → healthy
 *
 * Pure. Pools use a card that is healthy or suspect; what becomes of them is the node's. Never resets a card: what NVIDIA says
 * to do is told, and the way back is three good looks with nothing left to do.
 */
import { initialContext } from './context.ts';
import { gpu } from './setup.ts';
import { lost, quarantined, recovering, unhealthy } from './states/unused.ts';
import { healthy, suspect } from './states/used.ts';

export const gpuMachine = gpu.createMachine({
  id: 'gpu',
  context: ({ input }) => initialContext(input),
  initial: 'healthy',
  states: { healthy, suspect, unhealthy, quarantined, lost, recovering },
  // Whatever it was: these come first.
  on: {
    'gpu.checked': [
      {
        guard: { type: 'finds', params: { kind: 'away' } },
        target: '.lost',
        actions: 'noteAway',
      },
      {
        guard: { type: 'finds', params: { kind: 'demanding' } },
        target: '.quarantined',
        actions: 'takeDemand',
      },
    ],
    'gpu.xid': [
      {
        guard: { type: 'xidSays', params: { one: ['lost'] } },
        target: '.lost',
        actions: ['blameXid', 'noteXid'],
      },
      {
        guard: { type: 'xidSays', params: { one: ['told'] } },
        target: '.quarantined',
        actions: ['blameXid', 'noteXid'],
      },
    ],
  },
});

export type GpuMachine = typeof gpuMachine;
