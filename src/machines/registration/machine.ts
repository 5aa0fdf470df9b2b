/**
 * This node's standing with orchestratord: registers, beats, tries again for ever, says good-bye.
 *
 * disabled | unregistered → registering → registered ⇄ backingOff, rejected; deregistering → ended
 *
 * Pure. At most one call is outstanding, and between two heartbeats there are 100 ms, so that a burst of changes makes one.
 * Engines never depend on anything here.
 */
import { initialContext } from './context.ts';
import { registration } from './setup.ts';

const registering = registration.createStateConfig({
  entry: 'beginRegistering',
  invoke: {
    id: 'call',
    src: 'registerNode',
    input: () => ({}),
    onDone: [
      {
        guard: { type: 'isResult', params: ({ event }) => ({ outcome: event.output, is: 'accepted' }) },
        target: 'registered',
        actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'register', outcome: event.output }) },
      },
      {
        guard: { type: 'isResult', params: ({ event }) => ({ outcome: event.output, is: 'unreachable' }) },
        target: 'backingOff',
        actions: [
          { type: 'keepOutcome', params: ({ event }) => ({ kind: 'register', outcome: event.output }) },
          { type: 'owe', params: { what: 'register' } },
        ],
      },
      { target: 'rejected', actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'register', outcome: event.output }) } },
    ],
    onError: {
      target: 'backingOff',
      actions: [
        { type: 'blameCall', params: ({ event }) => ({ kind: 'register', error: event.error }) },
        { type: 'owe', params: { what: 'register' } },
      ],
    },
  },
  on: {
    'roster.changed': { actions: { type: 'owe', params: { what: 'register' } } },
    'node.deregister': 'deregistering',
  },
});

const beating = registration.createStateConfig({
  entry: 'beginHeartbeat',
  invoke: {
    id: 'call',
    src: 'sendHeartbeat',
    input: ({ context }) => ({ sequence: context.sequence }),
    onDone: [
      {
        guard: { type: 'cameTooLate', params: ({ event }) => ({ outcome: event.output }) },
        target: '#registration.registering',
        actions: [
          { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
          { type: 'reportAcknowledged', params: ({ event }) => ({ outcome: event.output }) },
        ],
      },
      {
        guard: { type: 'isResult', params: ({ event }) => ({ outcome: event.output, is: 'accepted' }) },
        target: 'quiet',
        actions: [
          { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
          { type: 'reportAcknowledged', params: ({ event }) => ({ outcome: event.output }) },
        ],
      },
      {
        guard: { type: 'wasForgotten', params: ({ event }) => ({ outcome: event.output }) },
        target: '#registration.registering',
        actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
      },
      {
        guard: { type: 'isResult', params: ({ event }) => ({ outcome: event.output, is: 'unknown_node' }) },
        target: '#registration.backingOff',
        actions: [
          { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
          { type: 'owe', params: { what: 'register' } },
        ],
      },
      {
        guard: { type: 'isResult', params: ({ event }) => ({ outcome: event.output, is: 'unreachable' }) },
        target: '#registration.backingOff',
        actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
      },
      {
        target: '#registration.rejected',
        actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'heartbeat', outcome: event.output }) },
      },
    ],
    onError: {
      target: '#registration.backingOff',
      actions: { type: 'blameCall', params: ({ event }) => ({ kind: 'heartbeat', error: event.error }) },
    },
  },
  on: {
    'readiness.changed': { actions: { type: 'owe', params: { what: 'heartbeat' } } },
    'node.heartbeat': { actions: { type: 'owe', params: { what: 'heartbeat' } } },
    'roster.changed': { actions: { type: 'owe', params: { what: 'register' } } },
    // A person asks for an answer now: a heartbeat that fails would make it wait for the backoff.
    'node.register': '#registration.registering',
  },
});

/** What changes meanwhile is said together, when the quiet time is over. */
const quiet = registration.createStateConfig({
  after: {
    quiet: [
      { guard: { type: 'owes', params: { what: 'register' } }, target: '#registration.registering' },
      { guard: { type: 'owes', params: { what: 'heartbeat' } }, target: 'beating' },
      { target: 'waiting' },
    ],
  },
  on: {
    'readiness.changed': { actions: { type: 'owe', params: { what: 'heartbeat' } } },
    'node.heartbeat': { actions: { type: 'owe', params: { what: 'heartbeat' } } },
    'roster.changed': { actions: { type: 'owe', params: { what: 'register' } } },
    'node.register': { actions: { type: 'owe', params: { what: 'register' } } },
  },
});

const waiting = registration.createStateConfig({
  after: { heartbeat: 'beating' },
  on: {
    'readiness.changed': 'beating',
    'node.heartbeat': [
      { guard: { type: 'mustRegister', params: ({ event }) => ({ mono: event.mono }) }, target: '#registration.registering' },
      { target: 'beating' },
    ],
    'roster.changed': '#registration.registering',
    'node.register': '#registration.registering',
  },
});

const backingOff = registration.createStateConfig({
  after: {
    retry: [{ guard: { type: 'mustRegister', params: { mono: null } }, target: 'registering' }, { target: 'registered' }],
  },
  on: {
    'node.register': 'registering',
    'node.heartbeat': [
      { guard: { type: 'mustRegister', params: ({ event }) => ({ mono: event.mono }) }, target: 'registering' },
      { target: 'registered' },
    ],
    'roster.changed': { actions: { type: 'owe', params: { what: 'register' } } },
    'node.deregister': 'deregistering',
  },
});

const rejected = registration.createStateConfig({
  always: { guard: { type: 'owes', params: { what: 'register' } }, target: 'registering' },
  after: { rejectedRetry: 'registering' },
  on: {
    'node.register': 'registering',
    'node.heartbeat': 'registering',
    'roster.changed': 'registering',
    'node.deregister': 'deregistering',
  },
});

const deregistering = registration.createStateConfig({
  invoke: {
    id: 'call',
    src: 'deregisterNode',
    input: () => ({}),
    onDone: { target: 'ended', actions: { type: 'keepOutcome', params: ({ event }) => ({ kind: 'deregister', outcome: event.output }) } },
    onError: { target: 'ended', actions: { type: 'blameCall', params: ({ event }) => ({ kind: 'deregister', error: event.error }) } },
  },
  after: { deregisterLimit: 'ended' },
});

export const registrationMachine = registration.createMachine({
  id: 'registration',
  context: ({ input }) => initialContext(input),
  initial: 'unregistered',
  states: {
    disabled: { on: { 'node.deregister': 'ended' } },
    unregistered: {
      always: [
        { guard: 'isDisabled', target: 'disabled' },
        { guard: 'registersOnStartup', target: 'registering' },
      ],
      on: { 'node.register': 'registering', 'node.heartbeat': 'registering', 'node.deregister': 'ended' },
    },
    registering,
    registered: {
      initial: 'beating',
      states: { beating, quiet, waiting },
      on: { 'node.deregister': 'deregistering' },
    },
    backingOff,
    rejected,
    deregistering,
    ended: { type: 'final', entry: 'reportEnd' },
  },
});

export type RegistrationMachine = typeof registrationMachine;
