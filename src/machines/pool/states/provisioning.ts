/** Engine and model are being made present; nothing runs. Part files and leases on disk are what a restart resumes from. */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';

export const provisioning = pool.createStateConfig({
  type: 'parallel',
  entry: ['clearReason', { type: 'announce', params: { state: 'provisioning' } }, { type: 'remember', params: { phase: null } }],
  states: {
    engine: {
      initial: 'resolving',
      states: {
        resolving: {
          invoke: {
            id: 'provisionEngine',
            src: 'provisionEngine',
            input: ({ context }) => ({ spec: context.spec }),
            onDone: { target: 'present', actions: { type: 'keepEngine', params: ({ event }) => ({ engine: event.output }) } },
            onError: {
              target: '#pool.offline.settling',
              actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'engine_missing') }) },
            },
          },
        },
        present: { type: 'final' },
      },
    },
    model: {
      initial: 'resolving',
      states: {
        resolving: {
          invoke: {
            id: 'provisionModel',
            src: 'provisionModel',
            input: ({ context }) => ({ spec: context.spec }),
            onDone: { target: 'present', actions: { type: 'keepModel', params: ({ event }) => ({ model: event.output }) } },
            onError: {
              target: '#pool.offline.settling',
              actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'model_missing') }) },
            },
          },
        },
        present: { type: 'final' },
      },
    },
  },
  onDone: { target: 'starting.admitting' },
  on: {
    'progress.made': { actions: { type: 'keepProgress', params: ({ event }) => event } },
    'pool.drain': { target: 'offline.settling', actions: 'wantDown' },
    'pool.remove': { target: 'offline.settling', actions: 'markForRemoval' },
    'pool.shutDown': { target: 'offline.settling', actions: 'markForShutDown' },
    'pool.reload': {
      guard: { type: 'changesSpec', params: ({ event }) => event },
      target: 'provisioning',
      reenter: true,
      actions: ['takeUpSpec', 'switchSpec'],
    },
    'gpus.unmatched': {
      target: 'offline.settling',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
      ],
    },
  },
});
