/**
 * The words of the registration chart: types, actors, guards, delays and orders.
 *
 * Pure. What leaves the machine is a named actor or a message to the node; a registration folded from a journal has none.
 */
import { assign, enqueueActions, setup } from 'xstate';
import { textOf } from '../error-text.ts';
import type { RegistrationEvent, RegistrationReport } from '../events.ts';
import { beatDelay, beatInterval, deregisterLimitMs, isSilenceTooLong, quietMs, rejectedDelay, retryDelay } from '../policies/heartbeat.ts';
import { type CallOutcome, registrationActors } from './actors.ts';
import type { CallKind, LastCall, RegistrationContext, RegistrationInput } from './context.ts';

interface Args {
  readonly context: RegistrationContext;
}

const callNumber = (context: RegistrationContext): number => context.lastCall?.number ?? 0;
const retryMs = (context: RegistrationContext): number => retryDelay(context.nodeId, context.attempt, callNumber(context));
const noteCall = (context: RegistrationContext, kind: CallKind, outcome: LastCall['outcome']): LastCall => ({
  kind,
  outcome,
  number: callNumber(context) + 1,
});

export const registration = setup({
  types: {} as { context: RegistrationContext; events: RegistrationEvent; input: RegistrationInput },
  actors: registrationActors,
  guards: {
    isDisabled: ({ context }: Args) => !context.enabled,
    registersOnStartup: ({ context }: Args) => context.registerOnStartup,
    isResult: (_: Args, params: { outcome: CallOutcome; is: CallOutcome['result'] }) => params.outcome.result === params.is,
    /** The server took this heartbeat, but it came so late that it may keep the node offline all the same. */
    cameTooLate: ({ context }: Args, { outcome }: { outcome: CallOutcome }) =>
      outcome.result === 'accepted' && isSilenceTooLong(context.lastSuccess?.mono ?? null, outcome.mono),
    /** A server that forgets a node it has just registered is not asked in a loop. */
    wasForgotten: ({ context }: Args, { outcome }: { outcome: CallOutcome }) => outcome.result === 'unknown_node' && context.proven,
    owes: ({ context }: Args, params: { what: 'register' | 'heartbeat' }) => context.owed === params.what,
    /** `mono`: now; null where nobody stamped it: at least the retry delay after the last call. */
    mustRegister: ({ context }: Args, { mono }: { mono: number | null }) =>
      context.owed === 'register' || isSilenceTooLong(context.lastSuccess?.mono ?? null, mono ?? (context.lastEndMono ?? 0) + retryMs(context)),
  },
  delays: {
    quiet: quietMs,
    /** The quiet time after the last call is part of the interval. */
    heartbeat: ({ context }) => beatDelay(context.intervalMs, context.nodeId, context.sequence) - quietMs,
    retry: ({ context }) => retryMs(context),
    rejectedRetry: ({ context }) => rejectedDelay(context.nodeId, callNumber(context)),
    deregisterLimit: deregisterLimitMs,
  },
  actions: {
    beginRegistering: assign({ owed: null, proven: false }),
    beginHeartbeat: assign({
      owed: ({ context }) => (context.owed === 'register' ? 'register' : null),
      sequence: ({ context }) => context.sequence + 1,
    }),
    owe: assign(({ context }, { what }: { what: 'register' | 'heartbeat' }) => ({ owed: context.owed === 'register' ? 'register' : what })),
    keepOutcome: assign(({ context }, { kind, outcome }: { kind: CallKind; outcome: CallOutcome }) => {
      const ended = { lastCall: noteCall(context, kind, outcome), lastEndMono: outcome.mono };
      if (outcome.result !== 'accepted') return { ...ended, attempt: context.attempt + 1, lastError: outcome.message };
      return {
        ...ended,
        lastSuccess: { at: outcome.at, mono: outcome.mono },
        lastError: null,
        intervalMs: outcome.nextHeartbeatMs === null ? context.intervalMs : beatInterval(outcome.nextHeartbeatMs),
        ...(kind === 'heartbeat' ? { attempt: 0, proven: true } : {}),
      };
    }),
    /** Calls never reject; one that did is our bug, and treated like silence. */
    blameCall: assign(({ context }, { kind, error }: { kind: CallKind; error: unknown }) => {
      const message = `the ${kind} call failed in an unexpected way: ${textOf(error)}`;
      return { lastCall: noteCall(context, kind, { result: 'unreachable', message }), attempt: context.attempt + 1, lastError: message };
    }),
    reportAcknowledged: enqueueActions(({ enqueue, self }, { outcome }: { outcome: CallOutcome }) => {
      if (outcome.result !== 'accepted' || !self._parent) return;
      enqueue.sendTo(self._parent, { type: 'heartbeat.acknowledged', draining: outcome.draining } satisfies RegistrationReport);
    }),
    reportEnd: enqueueActions(({ enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'registration.ended' } satisfies RegistrationReport);
    }),
  },
});
