/**
 * A node: raises the pools of this machine, tells them what they share (GPUs, VRAM, handoff files, the control plane), and
 * ends in order.
 *
 * lifecycle  booting → adopting → serving → draining → stopped
 * gpus       probing → known ⇄ blind
 * restarts   calm → gathering → storming
 *
 * Pure. Pools, cards and registration are actors of their own charts.
 */

import { textOf } from '../error-text.ts';
import { freeBerth } from '../policies/roster.ts';
import { causeOfError } from '../pool/failure.ts';
import { node } from './actions.ts';
import { brokenChild, declaredPool } from './birth.ts';
import { initialContext } from './context.ts';

const lifecycle = node.createStateConfig({
  initial: 'booting',
  states: {
    booting: {
      // Not before it is known which pools are declared: a handoff file of one of them is no stranger's.
      exit: 'watchHandoffs',
      invoke: {
        id: 'loadState',
        src: 'loadState',
        input: () => ({}),
        onDone: {
          target: 'adopting',
          actions: [
            { type: 'noteTroubles', params: ({ event }) => ({ causes: event.output.setAside }) },
            { type: 'raisePools', params: ({ event }) => event.output },
          ],
        },
        onError: {
          target: 'adopting',
          actions: {
            type: 'noteTroubles',
            params: ({ event }) => ({ causes: [causeOfError(event.error, 'state_store_failed')] }),
          },
        },
      },
    },
    adopting: {
      always: { guard: 'nobodyIsAdopting', target: 'serving' },
      after: { adoptionLimit: 'serving' },
    },
    serving: { entry: 'startRegistration' },
    draining: {
      initial: 'emptying',
      states: {
        emptying: {
          always: { guard: 'hasSettled', target: 'deregistering' },
          after: { shutdownLimit: 'deregistering' },
        },
        deregistering: {
          entry: { type: 'tellRegistration', params: { event: { type: 'node.deregister' } } },
          always: { guard: 'hasNoRegistration', target: '#node.lifecycle.stopped' },
          on: { 'registration.ended': '#node.lifecycle.stopped' },
          after: { deregisterLimit: '#node.lifecycle.stopped' },
        },
      },
    },
    stopped: { type: 'final' },
  },
  on: {
    'node.stop': [
      {
        guard: { type: 'keepsEngines', params: ({ event }) => event },
        target: '.stopped',
        actions: { type: 'keepStopping', params: ({ event }) => event },
      },
      {
        guard: 'isNotStopping',
        target: '.draining',
        actions: [
          { type: 'keepStopping', params: ({ event }) => event },
          { type: 'shutDownPools', params: ({ event }) => event },
        ],
      },
    ],
  },
});

const gpus = node.createStateConfig({
  initial: 'probing',
  states: {
    probing: {},
    known: {},
    /** The last facts are kept and marked stale; nothing is ended for it. */
    blind: {},
  },
  on: {
    'gpu.discovered': { target: '.known', actions: { type: 'takeInventory', params: ({ event }) => event } },
    'gpu.sampled': { actions: { type: 'keepSample', params: ({ event }) => event } },
    'gpu.probeFailed': { target: '.blind', actions: { type: 'goBlind', params: ({ event }) => event } },
    'gpu.checked': { actions: { type: 'passCheck', params: ({ event }) => event } },
    'gpu.changed': { actions: { type: 'keepStanding', params: ({ event }) => event } },
    'gpu.faulted': { actions: { type: 'passFault', params: ({ event }) => event } },
    'gpu.lookWanted': { actions: 'look' },
    'kernel.xid': { actions: { type: 'passXid', params: ({ event }) => event } },
    'kernel.followed': { actions: { type: 'keepKernelCause', params: ({ event }) => event } },
  },
});

/** What leads into a child enters it anew, so that its time begins again; entering the region anew would begin every region anew. */
const restarts = node.createStateConfig({
  initial: 'calm',
  states: {
    calm: {},
    /** Half of what a storm is, within a minute. */
    gathering: { after: { stormOver: 'calm' } },
    storming: { after: { stormOver: 'calm' } },
  },
  on: {
    'pool.backedOff': [
      {
        guard: { type: 'becomesStorm', params: ({ event }) => event },
        target: '.storming',
        actions: { type: 'noteRestart', params: ({ event }) => event },
      },
      {
        guard: { type: 'becomesGathering', params: ({ event }) => event },
        target: '.gathering',
        actions: { type: 'noteRestart', params: ({ event }) => event },
      },
      { actions: { type: 'noteRestart', params: ({ event }) => event } },
    ],
  },
});

export const nodeMachine = node.createMachine({
  id: 'node',
  context: ({ input }) => initialContext(input),
  type: 'parallel',
  invoke: [
    { id: 'gpus', src: 'watchGpus', input: () => ({}) },
    { id: 'kernel', src: 'watchKernel', input: () => ({}) },
    { id: 'roster', src: 'keepRoster', input: () => ({}) },
  ],
  states: { lifecycle, gpus, restarts },
  on: {
    'pool.declared': {
      guard: { type: 'isUnknownPool', params: ({ event }) => ({ poolId: event.spec.id }) },
      actions: [
        {
          type: 'raisePools',
          params: ({ context, event }) => ({
            pools: [declaredPool(event, freeBerth(context.roster, event.spec.id))],
            at: event.at,
            mono: event.mono,
          }),
        },
        { type: 'tellRegistration', params: { event: { type: 'roster.changed' } } },
      ],
    },
    'pool.commanded': { actions: { type: 'commandPool', params: ({ event }) => event } },
    'pools.configured': {
      actions: [
        { type: 'followFile', params: ({ event }) => event },
        { type: 'tellRegistration', params: { event: { type: 'roster.changed' } } },
      ],
    },
    'pools.rejected': { actions: { type: 'keepFileMistakes', params: ({ event }) => event } },
    'node.register': { actions: { type: 'tellRegistration', params: ({ event }) => ({ event }) } },
    'node.heartbeat': { actions: { type: 'tellRegistration', params: ({ event }) => ({ event }) } },

    'pool.changed': { actions: { type: 'keepReport', params: ({ event }) => event } },
    'adoption.settled': { actions: { type: 'keepAdopted', params: ({ event }) => event } },
    'admission.requested': { actions: { type: 'judgeAdmission', params: ({ event }) => event } },
    'reservation.released': { actions: { type: 'releaseReservation', params: ({ event }) => event } },
    'quarantine.requested': { actions: { type: 'quarantine', params: ({ event }) => event } },
    'quarantine.lifted': { actions: { type: 'liftQuarantine', params: ({ event }) => event } },
    'declaration.waits': { actions: { type: 'takeUpDeclared', params: ({ event }) => event } },
    'drain.announced': { actions: { type: 'announceDrain', params: ({ event }) => event } },
    'heartbeat.acknowledged': { actions: { type: 'passAcknowledgement', params: ({ event }) => event } },
    'pool.ended': [
      {
        guard: { type: 'isServing', params: ({ event }) => event },
        actions: [
          { type: 'dismissPool', params: ({ event }) => event },
          { type: 'tellRegistration', params: { event: { type: 'roster.changed' } } },
        ],
      },
      { actions: { type: 'dismissPool', params: ({ event }) => event } },
    ],
    // Of an engine beside the one that serves, or in its place; what is told of that is told by the pool itself.
    'reload.settled': [
      {
        guard: { type: 'risesReady', params: ({ event }) => event },
        actions: [
          { type: 'succeed', params: ({ event }) => event },
          { type: 'tellRegistration', params: { event: { type: 'readiness.changed' } } },
        ],
      },
      { guard: { type: 'isRising', params: ({ event }) => event }, actions: { type: 'giveUpRising', params: ({ event }) => event } },
      { guard: { type: 'settlesItsOrder', params: ({ event }) => event }, actions: { type: 'settleOrder', params: ({ event }) => event } },
    ],
    'xstate.error.actor.*': [
      {
        guard: { type: 'isPoolActor', params: ({ event }) => event },
        actions: { type: 'recallPool', params: ({ event }) => ({ actorId: event.actorId, message: textOf(event.error) }) },
      },
      { actions: { type: 'noteTroubles', params: ({ event }) => ({ causes: [brokenChild(event.actorId, event.error)] }) } },
    ],
    'pool.recalled': { actions: { type: 'raisePools', params: ({ event }) => ({ pools: [event.pool], at: event.at, mono: event.mono }) } },

    'handoff.appeared': [
      {
        guard: { type: 'isUnknownPool', params: ({ event }) => event.handoff },
        actions: [
          { type: 'adoptStranger', params: ({ event }) => event },
          { type: 'tellRegistration', params: { event: { type: 'roster.changed' } } },
        ],
      },
      { actions: { type: 'passHandoff', params: ({ event }) => event } },
    ],
    'handoff.settled': { actions: { type: 'settleHandoff', params: ({ event }) => event } },
  },
});

export type NodeMachine = typeof nodeMachine;
