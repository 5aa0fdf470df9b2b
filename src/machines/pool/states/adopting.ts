/**
 * An engine recorded by an earlier daemon: proven to be ours it goes on where it was; gone, its remains are ended; somebody
 * else's, the record is dropped and no signal sent. Orders are noted and obeyed once it is known whose process it is.
 */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentRun } from '../present.ts';

export const adopting = pool.createStateConfig({
  initial: 'identifying',
  exit: 'reportAdoption',
  states: {
    identifying: {
      invoke: {
        id: 'adoptEngine',
        src: 'adoptEngine',
        input: ({ context }) => ({ run: presentRun(context.run) }),
        onDone: [
          {
            guard: { type: 'isVerdict', params: ({ event }) => ({ verdict: event.output.verdict, is: 'stranger' }) },
            target: 'dropping',
            actions: {
              type: 'blame',
              params: ({ event }) => ({ cause: event.output.cause ?? { code: 'identity_mismatch', message: 'the recorded process is not ours' } }),
            },
          },
          {
            guard: { type: 'isVerdict', params: ({ event }) => ({ verdict: event.output.verdict, is: 'gone' }) },
            target: '#pool.draining.stopping',
            actions: [
              {
                type: 'blame',
                params: ({ event }) => ({
                  cause: event.output.cause ?? { code: 'engine_exited', message: 'the engine ended while the daemon was away' },
                }),
              },
              { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
              'recallOrder',
              'forgetRecorded',
            ],
          },
          { guard: 'wasStopping', target: '#pool.draining.stopping', actions: ['recallDrain', 'recallOrder'] },
          {
            guard: 'wasRecovering',
            target: '#pool.draining.emptying.recovering',
            actions: ['recallDrain', 'grantProbes', { type: 'startWatching', params: { pace: 'emptying' } }],
          },
          {
            guard: 'wasEmptying',
            target: '#pool.draining.emptying.announcing',
            actions: ['recallDrain', 'recallOrder', { type: 'startWatching', params: { pace: 'emptying' } }],
          },
          {
            guard: 'mustEmptyFirst',
            target: '#pool.draining.emptying.announcing',
            actions: [
              'recallProof',
              'recallOrder',
              { type: 'startWatching', params: { pace: 'emptying' } },
              { type: 'turnBack', params: { deadlineMs: null } },
            ],
          },
          {
            guard: 'mustTurnBack',
            target: '#pool.draining.stopping',
            actions: ['forgetRecorded', 'recallOrder', 'blameGpus', { type: 'turnBack', params: { deadlineMs: 0 } }],
          },
          {
            guard: 'wasProving',
            target: '#pool.starting.proving',
            actions: ['recallProof', { type: 'startWatching', params: { pace: 'steady' } }],
          },
          { target: '#pool.starting.loading', actions: ['forgetRecorded', { type: 'startWatching', params: { pace: 'loading' } }] },
        ],
        onError: {
          target: 'dropping',
          actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'identity_mismatch') }) },
        },
      },
    },
    dropping: {
      invoke: {
        id: 'dropRecord',
        src: 'dropRecord',
        input: ({ context }) => ({ run: presentRun(context.run) }),
        onDone: '#pool.offline.settling',
        onError: {
          target: '#pool.offline.settling',
          actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'state_store_failed') }) },
        },
      },
    },
  },
  on: {
    'pool.start': { guard: 'isManaged', actions: ['wantUp', 'endDrain', 'saveMemory'] },
    'pool.drain': {
      actions: ['wantDown', { type: 'beginDrain', params: ({ event }) => ({ why: 'operator', deadlineMs: event.deadlineMs }) }, 'saveMemory'],
    },
    'pool.remove': { actions: ['markForRemoval', 'saveMemory'] },
    'pool.shutDown': { actions: 'markForShutDown' },
    'pool.reload': [
      { guard: { type: 'changesSpec', params: ({ event }) => event }, actions: ['takeUpSpec', 'saveMemory'] },
      { guard: { type: 'staysDown', params: ({ event }) => event } },
      { actions: ['wantUp', 'endDrain', 'saveMemory'] },
    ],
    'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
  },
});
