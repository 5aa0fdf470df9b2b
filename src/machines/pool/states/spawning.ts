/** A process that is being made cannot be unmade half-way: orders are noted and obeyed when its record is there. */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentEngine, presentModel } from '../present.ts';

export const spawning = pool.createStateConfig({
  invoke: {
    id: 'spawnEngine',
    src: 'spawnEngine',
    input: ({ context }) => ({
      poolId: context.poolId,
      spec: context.spec,
      specHash: context.specHash,
      engine: presentEngine(context.engine),
      model: presentModel(context.model),
      gpus: context.gpus ?? [],
      reservedBytes: context.reservedBytes,
    }),
    onDone: [
      {
        guard: 'mustTurnBack',
        target: '#pool.draining.stopping',
        actions: [
          { type: 'keepRun', params: ({ event }) => event.output },
          { type: 'turnBack', params: { deadlineMs: 0 } },
        ],
      },
      {
        target: 'loading',
        actions: [
          { type: 'keepRun', params: ({ event }) => event.output },
          { type: 'startWatching', params: { pace: 'loading' } },
        ],
      },
    ],
    onError: {
      target: '#pool.offline.settling',
      actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'engine_exited') }) },
    },
  },
  on: {
    'pool.drain': { actions: ['wantDown', 'saveMemory'] },
    'pool.remove': { actions: ['markForRemoval', 'saveMemory'] },
    'pool.shutDown': { actions: 'markForShutDown' },
    'pool.reload': [
      { guard: { type: 'changesSpec', params: ({ event }) => event }, actions: ['takeUpSpec', 'saveMemory'] },
      { guard: { type: 'staysDown', params: ({ event }) => event } },
      { actions: ['wantUp', 'saveMemory'] },
    ],
    'gpus.unmatched': {
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
      ],
    },
  },
});
