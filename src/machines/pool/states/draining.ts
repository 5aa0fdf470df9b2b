/**
 * Not dispatchable, on the way down. `stopping` is the only place that ends an engine; `releasing` waits until its VRAM is
 * back; `stuck` is an engine that will not die, which is ended `again` now and then. What is wanted meanwhile is noted and takes
 * effect at `offline`.
 */
import { pool } from '../actions.ts';
import { unkillable } from '../blame.ts';
import { causeOfError } from '../failure.ts';
import { presentRun } from '../present.ts';
import { adjusting } from './adjusting.ts';

/** Ends the engine with all that it started. By absolute names, since it is done in two places. */
const ending = pool.createStateConfig({
  invoke: {
    id: 'stopEngine',
    src: 'stopEngine',
    input: ({ context }) => ({ run: presentRun(context.run) }),
    onDone: [
      {
        guard: { type: 'hasSurvivors', params: ({ event }) => event.output },
        target: '#pool.draining.stuck.waiting',
        actions: [
          { type: 'keepSurvivors', params: ({ event }) => event.output },
          { type: 'noteStuck', params: ({ event }) => ({ cause: unkillable(event.output.survivors) }) },
        ],
      },
      { target: '#pool.draining.releasing' },
    ],
    onError: {
      target: '#pool.draining.stuck.unasked',
      actions: { type: 'noteStuck', params: ({ event }) => ({ cause: causeOfError(event.error, 'unkillable') }) },
    },
  },
});

export const draining = pool.createStateConfig({
  initial: 'emptying',
  entry: { type: 'announce', params: { state: 'draining' } },
  states: {
    emptying: {
      tags: 'live',
      initial: 'announcing',
      entry: [
        { type: 'pace', params: { pace: 'emptying' } },
        { type: 'remember', params: { phase: 'emptying' } },
      ],
      states: {
        /** The control plane is told first, so that nothing new is sent. */
        announcing: {
          entry: 'announceDrain',
          on: { 'drain.acknowledged': 'waiting' },
          after: { acknowledgeLimit: 'waiting' },
        },
        /** Only a reading taken from here on counts: work may have come until the control plane knew. */
        waiting: {
          entry: ['forgetInFlight', { type: 'pace', params: { pace: 'emptying' } }],
          on: {
            'engine.loadChanged': {
              guard: { type: 'isEmpty', params: ({ event }) => event },
              target: '#pool.draining.stopping',
              actions: { type: 'keepLoad', params: ({ event }) => event },
            },
          },
        },
        /** Failed its probes: it may come back before anything is ended. */
        recovering: {
          on: {
            'health.passed': [
              { guard: 'comesBackAtOnce', target: '#pool.ready', actions: 'endDrain' },
              { actions: [{ type: 'announceSuspicion', params: { state: 'draining', hostSuspected: false } }, 'countPass'] },
            ],
            'health.failed': {
              actions: [
                { type: 'announceSuspicion', params: ({ event }) => ({ state: 'draining', hostSuspected: event.hostSuspected }) },
                { type: 'countFailure', params: ({ event }) => event },
              ],
            },
          },
        },
      },
      on: {
        'engine.loadChanged': { actions: { type: 'keepLoad', params: ({ event }) => event } },
        ...adjusting('emptying'),
        // Entered anew, so that the deadline counts from the order. What drains for its health must not recover against one.
        'pool.drain': {
          guard: { type: 'drainGoesFirst', params: ({ event }) => event },
          target: '.announcing',
          reenter: true,
          actions: ['wantDown', { type: 'beginDrain', params: ({ event }) => ({ why: 'operator', deadlineMs: event.deadlineMs }) }],
        },
        'pool.remove': {
          guard: 'isDrainedForHealth',
          target: '.announcing',
          reenter: true,
          actions: ['markForRemoval', { type: 'beginDrain', params: { why: 'remove', deadlineMs: null } }],
        },
        'pool.shutDown': {
          guard: 'isDrainedForHealth',
          target: '.announcing',
          reenter: true,
          actions: ['markForShutDown', { type: 'beginDrain', params: { why: 'shutdown', deadlineMs: null } }],
        },
        'pool.reload': {
          guard: { type: 'isSickWithOtherSpec', params: ({ event }) => event },
          target: '.announcing',
          reenter: true,
          actions: ['takeUpSpec', { type: 'beginDrain', params: { why: 'reload', deadlineMs: null } }],
        },
        'pool.resume': { guard: 'mayResume', target: '#pool.ready', actions: ['wantUp', 'tellOfWait', 'cancelReload', 'endDrain'] },
        'engine.exited': { target: 'stopping', actions: { type: 'blame', params: ({ event }) => event } },
        'engine.faulted': { target: 'stopping', actions: { type: 'blame', params: ({ event }) => event } },
        'residency.violated': { target: 'stopping', actions: { type: 'blame', params: ({ event }) => event } },
        'gpus.unmatched': {
          target: 'stopping',
          actions: [
            { type: 'loseGpus', params: ({ event }) => event },
            { type: 'blame', params: ({ event }) => event },
          ],
        },
      },
      after: {
        drainDeadline: [
          { guard: 'comesBackInTheEnd', target: '#pool.ready', actions: 'endDrain' },
          { guard: 'isDrainedForHealth', target: 'stopping' },
          { target: 'stopping', actions: 'markForced' },
        ],
      },
    },
    /** It served, and its process has ended: nothing is sent there any more while it is found out why. */
    explaining: {
      tags: 'live',
      on: { 'engine.exited': { target: 'stopping', actions: { type: 'blame', params: ({ event }) => event } } },
      after: { explainLimit: 'stopping' },
    },
    stopping: {
      tags: 'live',
      entry: ['stopWatching', { type: 'remember', params: { phase: 'stopping' } }],
      ...ending,
    },
    stuck: {
      tags: 'live',
      initial: 'waiting',
      entry: 'requestQuarantine',
      exit: ['liftQuarantine', 'noteUnstuck'],
      states: {
        waiting: {
          invoke: {
            id: 'awaitTreeGone',
            src: 'awaitTreeGone',
            input: ({ context }) => ({ run: presentRun(context.run), survivors: context.survivors }),
            onDone: '#pool.draining.stopping',
            onError: {
              target: 'pausing',
              actions: { type: 'noteStuck', params: ({ event }) => ({ cause: causeOfError(event.error, 'unkillable') }) },
            },
          },
          after: { stopAgain: 'again' },
        },
        /** Between two looks, where a look itself fails. */
        pausing: { after: { stuckRetry: 'waiting' } },
        /** Ending it failed: it may never have been told to. */
        unasked: { after: { stuckRetry: 'again' } },
        /** In here, so that its cards stay in quarantine meanwhile. */
        again: ending,
      },
    },
    releasing: {
      tags: 'settling',
      invoke: {
        id: 'awaitRelease',
        src: 'awaitRelease',
        input: ({ context }) => ({ run: presentRun(context.run) }),
        onDone: [
          {
            guard: { type: 'isStillHeld', params: ({ event }) => event.output },
            target: '#pool.offline.settling',
            actions: [{ type: 'blameHeldVram', params: ({ event }) => event.output }, 'requestQuarantine'],
          },
          { target: '#pool.offline.settling' },
        ],
        // Nothing can be known of the GPU: the engine is gone, and that is all that can be waited for.
        onError: '#pool.offline.settling',
      },
      on: { 'gpus.unmatched': { target: '#pool.offline.settling', actions: { type: 'loseGpus', params: ({ event }) => event } } },
    },
  },
  on: {
    'pool.start': { actions: ['orderAgain', 'saveMemory'] },
    'pool.drain': { actions: ['wantDown', 'saveMemory'] },
    'pool.remove': { actions: ['markForRemoval', 'saveMemory'] },
    'pool.shutDown': { actions: 'markForShutDown' },
    'pool.reload': [
      { guard: { type: 'changesSpec', params: ({ event }) => event }, actions: ['takeUpSpec', 'saveMemory'] },
      { guard: { type: 'staysDown', params: ({ event }) => event } },
      { actions: ['orderAgain', 'saveMemory'] },
    ],
    'gpus.unmatched': { actions: { type: 'loseGpus', params: ({ event }) => event } },
  },
});
