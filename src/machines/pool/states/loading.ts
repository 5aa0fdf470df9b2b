/** The engine loads, and answers; its handoff file, written then, opens the proof. */
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentRun } from '../present.ts';
import { adjusting } from './adjusting.ts';
import { startTimedOut } from './start-limit.ts';

export const loading = pool.createStateConfig({
  tags: 'live',
  initial: 'answering',
  entry: { type: 'remember', params: { phase: 'loading' } },
  invoke: {
    id: 'watchStart',
    src: 'watchStart',
    input: ({ context }) => ({ run: presentRun(context.run), stallMs: context.spec.timeouts.start_stall_ms }),
  },
  states: {
    answering: { on: { 'health.passed': { target: 'announcing', actions: { type: 'keepLoad', params: ({ event }) => event } } } },
    announcing: {
      invoke: {
        id: 'announceHandoff',
        src: 'announceHandoff',
        input: ({ context }) => ({ run: presentRun(context.run) }),
        onError: {
          target: '#pool.draining.stopping',
          actions: [
            { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'state_store_failed') }) },
            { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
          ],
        },
      },
    },
  },
  on: {
    ...adjusting('loading'),
    'engine.loadChanged': { actions: { type: 'keepLoad', params: ({ event }) => event } },
    'handoff.appeared': [
      {
        guard: { type: 'handoffIsOurs', params: ({ event }) => event },
        target: 'proving',
        actions: { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'accepted' }) },
      },
    ],
    'engine.stalled': {
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
  },
  after: { startMax: startTimedOut },
});
