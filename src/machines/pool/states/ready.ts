/** Dispatchable. `suspect`: some probes in a row failed, fewer than the threshold. */
import { graceMs } from '../../policies/limits.ts';
import { pool } from '../actions.ts';
import { unexplained } from '../blame.ts';
import { adjusting } from './adjusting.ts';

export const ready = pool.createStateConfig({
  initial: 'healthy',
  tags: ['accepting', 'live'],
  entry: [
    'clearReason',
    'forgetProbes',
    { type: 'pace', params: { pace: 'steady' } },
    { type: 'remember', params: { phase: 'ready' } },
    { type: 'announce', params: { state: 'ready' } },
    'settleReload',
  ],
  states: {
    healthy: {},
    suspect: {
      on: {
        'health.passed': {
          target: 'healthy',
          actions: [
            { type: 'announceSuspicion', params: { state: 'ready', hostSuspected: false } },
            'countPass',
            { type: 'announceFullness', params: ({ event }) => event },
            { type: 'keepLoad', params: ({ event }) => event },
          ],
        },
      },
    },
  },
  on: {
    'health.failed': [
      {
        guard: { type: 'isForeign', params: ({ event }) => event },
        target: '#pool.draining.stopping',
        actions: [
          { type: 'blame', params: ({ event }) => event },
          { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
        ],
      },
      {
        guard: { type: 'attachedFailsForGood', params: ({ event }) => event },
        target: '#pool.offline.settling',
        actions: { type: 'blame', params: ({ event }) => event },
      },
      {
        guard: { type: 'failsForGood', params: ({ event }) => event },
        target: '#pool.draining.emptying.recovering',
        actions: [
          { type: 'blame', params: ({ event }) => event },
          { type: 'countFailure', params: ({ event }) => event },
          'noteLeaving',
          { type: 'beginDrain', params: ({ context }) => ({ why: 'health', deadlineMs: graceMs(context.load, context.leaving.again) }) },
        ],
      },
      {
        target: '.suspect',
        actions: [
          { type: 'announceSuspicion', params: ({ event }) => ({ state: 'ready', hostSuspected: event.hostSuspected }) },
          { type: 'countFailure', params: ({ event }) => event },
        ],
      },
    ],
    'health.passed': {
      actions: [
        { type: 'announceFullness', params: ({ event }) => event },
        { type: 'keepLoad', params: ({ event }) => event },
      ],
    },
    'engine.loadChanged': {
      actions: [
        { type: 'announceFullness', params: ({ event }) => event },
        { type: 'keepLoad', params: ({ event }) => event },
      ],
    },
    ...adjusting('steady'),
    'engine.gone': {
      guard: 'isManaged',
      target: '#pool.draining.explaining',
      actions: [
        { type: 'blame', params: ({ event }) => ({ cause: unexplained(event.exit) }) },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
    // It had gone while it was still proven, or before it was resumed: why is known by now.
    'engine.exited': {
      guard: 'isManaged',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
    'engine.faulted': {
      guard: 'isManaged',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
    'residency.violated': {
      guard: 'isManaged',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
    'gpus.unmatched': {
      guard: 'isManaged',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'gpu', deadlineMs: 0 } },
      ],
    },
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
        target: '#pool.starting.proving',
        actions: [
          'stopWatching',
          { type: 'attach', params: ({ event }) => event },
          { type: 'startWatching', params: { pace: 'steady' } },
          { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'attached' }) },
        ],
      },
      {
        guard: { type: 'handoffWithdraws', params: ({ event }) => event },
        target: '#pool.draining.emptying.announcing',
        actions: [
          { type: 'blame', params: { cause: { code: 'health_failed', message: 'its handoff file says ready:false' } } },
          { type: 'beginDrain', params: { why: 'withdrawn', deadlineMs: null } },
          { type: 'settleHandoff', params: ({ event }) => ({ handoff: event.handoff, outcome: 'not_ready' }) },
        ],
      },
    ],
    'pool.drain': {
      guard: 'isManaged',
      target: '#pool.draining.emptying.announcing',
      actions: ['wantDown', { type: 'beginDrain', params: ({ event }) => ({ why: 'operator', deadlineMs: event.deadlineMs }) }],
    },
    'pool.reload': {
      guard: { type: 'runsOtherSpec', params: ({ event }) => event },
      target: '#pool.draining.emptying.announcing',
      actions: ['takeUpSpec', { type: 'beginDrain', params: { why: 'reload', deadlineMs: null } }],
    },
    /** The node hears of the sum: it hands it on when this engine is replaced in turn. Elsewhere the next change of state tells it. */
    'pool.succeeded': {
      actions: [{ type: 'carryRestarts', params: ({ event }) => event }, { type: 'announce', params: { state: 'ready' } }, 'saveMemory'],
    },
    'pool.remove': [
      { guard: 'isAttached', target: '#pool.offline.settling', actions: 'markForRemoval' },
      {
        target: '#pool.draining.emptying.announcing',
        actions: ['markForRemoval', { type: 'beginDrain', params: { why: 'remove', deadlineMs: null } }],
      },
    ],
    'pool.shutDown': [
      { guard: 'isAttached', target: '#pool.offline.settling', actions: 'markForShutDown' },
      {
        target: '#pool.draining.emptying.announcing',
        actions: ['markForShutDown', { type: 'beginDrain', params: { why: 'shutdown', deadlineMs: null } }],
      },
    ],
  },
  after: {
    breakerStable: { actions: ['closeBreaker', 'saveMemory'] },
    stable: { actions: ['noteStable', 'saveMemory'] },
  },
});
