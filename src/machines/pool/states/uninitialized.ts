/** Declared, nothing started. A recorded engine or somebody else's handoff leads straight into `starting`. */
import { pool } from '../actions.ts';

export const uninitialized = pool.createStateConfig({
  initial: 'idle',
  entry: { type: 'announce', params: { state: 'uninitialized' } },
  states: {
    idle: {
      always: [
        { guard: 'hasRecordedEngine', target: '#pool.starting.adopting' },
        { guard: 'isAttached', target: '#pool.starting.proving', actions: { type: 'startWatching', params: { pace: 'steady' } } },
        { guard: 'mustWaitOn', target: '#pool.offline.backingOff', actions: 'goOnWaiting' },
        { guard: 'mayStart', target: '#pool.provisioning' },
        { guard: 'lacksGpus', target: '#pool.offline.settling', actions: 'blameGpus' },
      ],
      on: {
        'pool.start': { actions: ['wantUp', 'forgetRetry', 'saveMemory'] },
        'pool.drain': { target: '#pool.offline.settling', actions: 'wantDown' },
        'pool.remove': { target: '#pool.offline.settling', actions: 'markForRemoval' },
        'pool.shutDown': { target: '#pool.offline.settling', actions: 'markForShutDown' },
        'pool.reload': [
          { guard: { type: 'staysDown', params: ({ event }) => event }, actions: ['takeUpSpec', 'switchSpec'] },
          { actions: ['takeUpSpec', 'switchSpec', 'clearReason', 'saveMemory'] },
        ],
        'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
      },
    },
  },
});
