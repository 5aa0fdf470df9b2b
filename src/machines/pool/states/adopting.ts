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
              'forgetRecorded',
            ],
          },
          { guard: { type: 'wasIn', params: { phase: 'stopping' } }, target: '#pool.draining.stopping', actions: 'recallDrain' },
          {
            guard: { type: 'wasIn', params: { phase: 'emptying' } },
            target: '#pool.draining.emptying.announcing',
            actions: ['recallDrain', { type: 'startWatching', params: { pace: 'emptying' } }],
          },
          {
            guard: 'mustTurnBack',
            target: '#pool.draining.emptying.announcing',
            actions: [
              'recallProof',
              { type: 'startWatching', params: { pace: 'emptying' } },
              { type: 'beginDrain', params: { why: 'operator', deadlineMs: null } },
            ],
          },
          {
            guard: { type: 'wasIn', params: { phase: 'proving' } },
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
    'pool.start': { actions: 'wantUp' },
    'pool.drain': { actions: 'wantDown' },
    'pool.remove': { actions: 'markForRemoval' },
    'pool.shutDown': { actions: 'markForShutDown' },
    'pool.reload': { actions: 'takeUpSpec' },
    'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
  },
});
