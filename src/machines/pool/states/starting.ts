/**
 * From files on disk to a proven engine. VRAM is reserved before the process exists; `loading` ends with a handoff for this
 * incarnation; `proving` ends with the proof its origin asks for. From `spawning` on, every way out leads through `draining`.
 */

import { healthGraceMs } from '../../policies/limits.ts';
import { pool } from '../actions.ts';
import { causeOfError } from '../failure.ts';
import { presentEngine, presentModel, presentRun } from '../present.ts';
import { adopting } from './adopting.ts';

const tooLate = { code: 'start_timeout', message: 'not ready within the limit for its size; timeouts.start_max_ms changes it' } as const;

const startTimedOut = {
  target: '#pool.draining.stopping',
  actions: [
    { type: 'blame', params: { cause: tooLate } },
    { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
  ],
} as const;

export const starting = pool.createStateConfig({
  initial: 'admitting',
  entry: { type: 'announce', params: { state: 'starting' } },
  states: {
    adopting,
    admitting: {
      initial: 'measuring',
      states: {
        measuring: {
          invoke: {
            id: 'measureGpus',
            src: 'measureGpus',
            input: ({ context }) => ({ spec: context.spec, model: presentModel(context.model) }),
            onDone: { target: 'asking', actions: { type: 'askAdmission', params: ({ event }) => event.output } },
            onError: {
              target: '#pool.offline.settling',
              actions: { type: 'blame', params: ({ event }) => ({ cause: causeOfError(event.error, 'driver_error') }) },
            },
          },
        },
        asking: {
          on: {
            'admission.granted': {
              target: '#pool.starting.spawning',
              actions: [
                { type: 'keepAdmission', params: ({ event }) => event },
                { type: 'noteStart', params: ({ event }) => event },
              ],
            },
            'admission.refused': { target: '#pool.offline.settling', actions: { type: 'blame', params: ({ event }) => event } },
          },
          after: {
            admissionLimit: {
              target: '#pool.offline.settling',
              actions: { type: 'blame', params: { cause: { code: 'driver_error', message: 'the node did not answer the request for VRAM' } } },
            },
          },
        },
      },
      on: {
        'pool.drain': { target: '#pool.offline.settling', actions: 'wantDown' },
        'pool.remove': { target: '#pool.offline.settling', actions: 'markForRemoval' },
        'pool.shutDown': { target: '#pool.offline.settling', actions: 'markForShutDown' },
        'pool.reload': { guard: { type: 'changesSpec', params: ({ event }) => event }, target: '#pool.offline.settling', actions: 'takeUpSpec' },
        'gpus.unmatched': {
          target: '#pool.offline.settling',
          actions: [
            { type: 'loseGpus', params: ({ event }) => event },
            { type: 'blame', params: ({ event }) => event },
          ],
        },
      },
    },
    // A process that is being made cannot be unmade half-way: orders are noted and obeyed when its record is there.
    spawning: {
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
          { actions: ['wantUp', 'saveMemory'] },
        ],
        'gpus.unmatched': {
          actions: [
            { type: 'loseGpus', params: ({ event }) => event },
            { type: 'blame', params: ({ event }) => event },
          ],
        },
      },
    },
    loading: {
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
    },
    proving: {
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
    },
  },
  // Once an engine runs, an order or a loss ends it; before that the children above answer.
  on: {
    'pool.start': { guard: 'isManaged', actions: ['wantUp', 'saveMemory'] },
    'pool.drain': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: ['wantDown', { type: 'beginDrain', params: { why: 'operator', deadlineMs: 0 } }],
    },
    'pool.remove': [
      {
        guard: 'runsEngine',
        target: '#pool.draining.stopping',
        actions: ['markForRemoval', { type: 'beginDrain', params: { why: 'remove', deadlineMs: 0 } }],
      },
      { target: '#pool.offline.settling', actions: 'markForRemoval' },
    ],
    'pool.shutDown': [
      {
        guard: 'runsEngine',
        target: '#pool.draining.stopping',
        actions: ['markForShutDown', { type: 'beginDrain', params: { why: 'shutdown', deadlineMs: 0 } }],
      },
      { target: '#pool.offline.settling', actions: 'markForShutDown' },
    ],
    'pool.reload': {
      guard: { type: 'runsOtherSpec', params: ({ event }) => event },
      target: '#pool.draining.stopping',
      actions: ['takeUpSpec', { type: 'beginDrain', params: { why: 'reload', deadlineMs: 0 } }],
    },
    'gpus.unmatched': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'loseGpus', params: ({ event }) => event },
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'gpu', deadlineMs: 0 } },
      ],
    },
    'health.failed': {
      guard: { type: 'isForeign', params: ({ event }) => event },
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
    'residency.violated': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'start_failed', deadlineMs: 0 } },
      ],
    },
    'engine.exited': {
      guard: 'runsEngine',
      target: '#pool.draining.stopping',
      actions: [
        { type: 'blame', params: ({ event }) => event },
        { type: 'beginDrain', params: { why: 'crash', deadlineMs: 0 } },
      ],
    },
  },
});
