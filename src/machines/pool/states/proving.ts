/** The proof that its origin asks for, of an engine that has been handed off. */
import { healthGraceMs } from '../../policies/limits.ts';
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentRun } from '../present.ts';
import { adjusting } from './adjusting.ts';
import { startTimedOut, tooLate } from './start-limit.ts';

export const proving = pool.createStateConfig({
  tags: 'live',
  entry: { type: 'remember', params: { phase: 'proving' } },
  invoke: {
    id: 'proveReadiness',
    src: 'proveReadiness',
    input: ({ context }) => ({
      run: presentRun(context.run),
      mode: context.origin === 'attached' ? 'attached' : context.proof === null ? 'managed' : 'adopted',
      proof: context.proof,
    }),
    onDone: [
      {
        guard: { type: 'showsResidency', params: ({ event }) => event.output },
        target: '#pool.ready',
        actions: { type: 'keepProof', params: ({ event }) => ({ proof: event.output }) },
      },
      {
        target: '#pool.draining.stopping',
        actions: [
          { type: 'blame', params: { cause: { code: 'residency_violation', message: 'expected proof that all is in VRAM, found none' } } },
          { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
        ],
      },
    ],
    onError: [
      {
        guard: 'isAttached',
        target: '#pool.offline.settling',
        actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'health_failed') }) },
      },
      {
        guard: { type: 'servedBefore', params: ({ event }) => causeOfError(event.error, 'health_failed') },
        target: '#pool.draining.emptying.recovering',
        actions: [
          { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'health_failed') }) },
          'forgetProbes',
          { type: 'beginDrain', params: { why: 'health', deadlineMs: healthGraceMs } },
        ],
      },
      {
        target: '#pool.draining.stopping',
        actions: [
          { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'health_failed') }) },
          { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
        ],
      },
    ],
  },
  on: {
    ...adjusting('steady'),
    'engine.loadChanged': { actions: { type: 'keepLoad', params: ({ event }) => event } },
    'handoff.appeared': [
      {
        guard: { type: 'handoffEndsAttached', params: ({ event }) => event },
        target: '#pool.offline.settling',
        actions: [
          { type: 'giveReason', params: { cause: { code: 'drained', message: 'its handoff file says ready:false' } } },
          { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'not_ready' }) },
        ],
      },
      {
        guard: { type: 'handoffMovesAttached', params: ({ event }) => event },
        target: 'proving',
        reenter: true,
        actions: [
          'stopWatching',
          { type: 'attach', params: ({ event }) => event },
          { type: 'startWatching', params: { pace: 'steady' } },
          { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'attached' }) },
        ],
      },
    ],
  },
  after: {
    startMax: [{ guard: 'isAttached', target: '#pool.offline.settling', actions: { type: 'blame', params: { cause: tooLate } } }, startTimedOut],
  },
});
