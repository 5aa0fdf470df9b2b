/**
 * No engine of the pool exists. `settling` decides at once which child the reason calls for; `blocked` waits for something
 * outside, `backingOff` for time, `stopped` and `failed` for a person.
 */
import { pool } from '../actions.ts';

const announce = { type: 'announce', params: { state: 'offline' } } as const;

export const offline = pool.createStateConfig({
  initial: 'settling',
  entry: ['stopWatching', 'dropRun', 'releaseReservation', announce],
  states: {
    settling: {
      always: [
        { guard: { type: 'settlesAs', params: { as: 'ended' } }, target: '#pool.ended' },
        { guard: { type: 'settlesAs', params: { as: 'rollback' } }, target: '#pool.provisioning', actions: 'rollBack' },
        { guard: { type: 'settlesAs', params: { as: 'again' } }, target: '#pool.provisioning', actions: 'switchSpec' },
        { guard: { type: 'settlesAs', params: { as: 'stopped' } }, target: 'stopped', actions: ['switchSpec', announce] },
        { guard: { type: 'settlesAs', params: { as: 'blocked' } }, target: 'blocked', actions: ['switchSpec', announce, 'blameGpus'] },
        { guard: { type: 'settlesAs', params: { as: 'failed' } }, target: 'failed' },
        { target: 'backingOff', actions: ['scheduleRetry', announce, 'reportBackoff'] },
      ],
    },
    stopped: { entry: [{ type: 'remember', params: { phase: null } }, 'giveUpReload'] },
    backingOff: {
      entry: { type: 'remember', params: { phase: null } },
      exit: ['forgetRetry', 'saveMemory'],
      after: {
        retryDelay: [
          { guard: 'isAttached', target: '#pool.starting.proving', actions: { type: 'startWatching', params: { pace: 'steady' } } },
          { guard: 'lacksGpus', target: 'blocked', actions: 'blameGpus' },
          { target: '#pool.provisioning' },
        ],
      },
    },
    blocked: {
      entry: { type: 'remember', params: { phase: null } },
      on: {
        'gpus.matched': { target: '#pool.provisioning', actions: { type: 'keepGpus', params: ({ event }) => event } },
        'gpus.unmatched': {
          actions: [
            { type: 'loseGpus', params: ({ event }) => event },
            { type: 'blame', params: ({ event }) => event },
          ],
        },
        'resources.changed': { guard: 'hasGpus', target: '#pool.provisioning' },
      },
      after: { blockedRetry: { guard: 'hasGpus', target: '#pool.provisioning' } },
    },
    failed: { entry: [{ type: 'remember', params: { phase: null } }, 'giveUpReload'] },
  },
  on: {
    'pool.start': [
      { guard: 'mayLeaveOffline', target: '#pool.provisioning', actions: 'wantUp' },
      { guard: 'isManaged', actions: ['wantUp', 'saveMemory'] },
    ],
    'pool.drain': { guard: 'isManaged', target: '.stopped', actions: 'wantDown' },
    'pool.remove': { target: '.settling', actions: 'markForRemoval' },
    'pool.shutDown': { target: '.stopped', actions: 'markForShutDown' },
    'pool.reload': [
      { guard: { type: 'staysDown', params: ({ event }) => event }, target: '.settling', actions: 'takeUpSpec' },
      { guard: 'mayLeaveOffline', target: '#pool.provisioning', actions: ['takeUpSpec', 'switchSpec'] },
      { guard: 'isManaged', actions: ['wantUp', 'saveMemory'] },
    ],
    'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
    'handoff.appeared': {
      guard: { type: 'handoffAttaches', params: ({ event }) => event },
      target: '#pool.starting.proving',
      actions: [
        { type: 'attach', params: ({ event }) => event },
        { type: 'startWatching', params: { pace: 'steady' } },
        { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'attached' }) },
      ],
    },
  },
});
