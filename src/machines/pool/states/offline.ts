/**
 * No engine of the pool exists. `settling` decides at once which child the reason calls for; `blocked` waits for something
 * outside, `backingOff` for time, `stopped` and `failed` for a person.
 */
import { pool } from '../actions.ts';

export const offline = pool.createStateConfig({
  initial: 'settling',
  entry: ['dropRun', 'releaseReservation', { type: 'announce', params: { state: 'offline' } }],
  states: {
    settling: {
      always: [
        { guard: { type: 'settlesAs', params: { as: 'ended' } }, target: '#pool.ended' },
        { guard: { type: 'settlesAs', params: { as: 'rollback' } }, target: '#pool.provisioning', actions: 'rollBack' },
        { guard: { type: 'settlesAs', params: { as: 'again' } }, target: '#pool.provisioning', actions: 'switchSpec' },
        { guard: { type: 'settlesAs', params: { as: 'stopped' } }, target: 'stopped' },
        { guard: { type: 'settlesAs', params: { as: 'blocked' } }, target: 'blocked' },
        { guard: { type: 'settlesAs', params: { as: 'failed' } }, target: 'failed' },
        { target: 'backingOff', actions: ['scheduleRetry', 'reportBackoff'] },
      ],
    },
    stopped: { entry: { type: 'remember', params: { phase: null } } },
    backingOff: {
      entry: { type: 'remember', params: { phase: null } },
      after: {
        retryDelay: [
          { guard: 'isAttached', target: '#pool.starting.proving', actions: { type: 'startWatching', params: { pace: 'steady' } } },
          { target: '#pool.provisioning' },
        ],
      },
    },
    blocked: {
      entry: { type: 'remember', params: { phase: null } },
      on: {
        'gpus.matched': { target: '#pool.provisioning', actions: { type: 'keepGpus', params: ({ event }) => event } },
        'resources.changed': '#pool.provisioning',
      },
      after: { blockedRetry: '#pool.provisioning' },
    },
    failed: { entry: { type: 'remember', params: { phase: null } } },
  },
  on: {
    'pool.start': { guard: 'isManaged', target: '#pool.provisioning', actions: 'wantUp' },
    'pool.drain': { guard: 'isManaged', target: '.stopped', actions: 'wantDown' },
    'pool.remove': { target: '.settling', actions: 'markForRemoval' },
    'pool.shutDown': { target: '.stopped', actions: 'markForShutDown' },
    'pool.reload': { guard: 'isManaged', target: '#pool.provisioning', actions: ['takeUpSpec', 'switchSpec'] },
    'gpus.matched': { actions: { type: 'keepGpus', params: ({ event }) => event } },
    'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
    'handoff.appeared': [
      {
        guard: { type: 'handoffAttaches', params: ({ event }) => event },
        target: '#pool.starting.proving',
        actions: [
          { type: 'attach', params: ({ event }) => event },
          { type: 'startWatching', params: { pace: 'steady' } },
          { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'attached' }) },
        ],
      },
      { actions: { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'judge' }) } },
    ],
  },
});
