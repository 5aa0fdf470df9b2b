/**
 * Drives the real registration chart on simulated time: every call it makes lies here until the test answers it.
 *
 * The chart is invoked by a small parent, so that what it reports upwards can be read too.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type AnyActorRef, assertEvent, createActor, fromPromise, type InspectionEvent, SimulatedClock, setup } from 'xstate';
import type { RegistrationEvent, RegistrationReport } from '../../src/machines/events.ts';
import type { CallOutcome } from '../../src/machines/registration/actors.ts';
import type { RegistrationInput } from '../../src/machines/registration/context.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { registrationView } from '../../src/machines/registration/view.ts';

type Bare<Outcome> = Outcome extends unknown ? Omit<Outcome, 'at' | 'mono'> : never;
export type Answer = Bare<CallOutcome>;

export interface Call {
  readonly kind: 'register' | 'heartbeat' | 'deregister';
  readonly sequence: number | null;
  /** Simulated milliseconds. */
  readonly at: number;
  /** The machine has let go of it. */
  aborted: boolean;
  readonly answer: (answer: Answer) => Promise<void>;
  readonly fail: (error: unknown) => Promise<void>;
}

export const accepted = (nextHeartbeatMs: number | null = 10_000, draining: readonly string[] = []): Answer => ({
  result: 'accepted',
  body: { success: true },
  nextHeartbeatMs,
  draining,
});
export const unreachable: Answer = { result: 'unreachable', message: 'connection refused' };
export const rejected: Answer = { result: 'rejected', message: '401: the token is wrong' };
export const unknownNode: Answer = { result: 'unknown_node', message: 'node not found' };

export const plain: RegistrationInput = {
  enabled: true,
  orchestratorUrl: 'http://127.0.0.1:8080',
  registerOnStartup: true,
  heartbeatIntervalMs: 10_000,
  nodeId: 'gpu-node-1',
};

/** Lets promises of the chart's actors settle. */
const settle = async (): Promise<void> => {
  await turn();
  await turn();
};

export const driveRegistration = (inspect: (event: InspectionEvent) => void, input: Partial<RegistrationInput> = {}, alone = false) => {
  const clock = new SimulatedClock();
  const now = () => ({ at: 1_700_000_000_000 + clock.now(), mono: clock.now() });
  const calls: Call[] = [];
  const reports: RegistrationReport[] = [];

  const place = (kind: Call['kind'], sequence: number | null, signal: AbortSignal): Promise<CallOutcome> =>
    new Promise((resolve, reject) => {
      const call: Call = {
        kind,
        sequence,
        at: clock.now(),
        aborted: false,
        answer: (answer) => {
          resolve({ ...answer, ...now() });
          return settle();
        },
        fail: (error) => {
          reject(error);
          return settle();
        },
      };
      signal.addEventListener('abort', () => {
        call.aborted = true;
      });
      calls.push(call);
    });

  const provided = registrationMachine.provide({
    actors: {
      registerNode: fromPromise<CallOutcome, Record<string, never>>(({ signal }) => place('register', null, signal)),
      sendHeartbeat: fromPromise<CallOutcome, { readonly sequence: number }>(({ input, signal }) => place('heartbeat', input.sequence, signal)),
      deregisterNode: fromPromise<CallOutcome, Record<string, never>>(({ signal }) => place('deregister', null, signal)),
    },
  });
  const parent = setup({
    types: {} as { events: RegistrationReport },
    actors: { registration: provided },
    actions: {
      keep: ({ event }) => {
        assertEvent(event, ['heartbeat.acknowledged', 'registration.ended']);
        reports.push(event);
      },
    },
  }).createMachine({
    id: 'parent',
    invoke: { id: 'registration', src: 'registration', input: { ...plain, ...input } },
    on: { 'heartbeat.acknowledged': { actions: 'keep' }, 'registration.ended': { actions: 'keep' } },
  });

  const start = () => {
    if (alone) return createActor(provided, { clock, inspect, input: { ...plain, ...input } }).start();
    const child = createActor(parent, { clock, inspect }).start().getSnapshot().children.registration;
    if (child === undefined) throw new Error('the parent invoked no registration');
    return child;
  };
  const actor = start();
  const snapshot = () => actor.getSnapshot();

  return {
    clock,
    calls,
    reports,
    snapshot,
    actor: actor as AnyActorRef,
    view: () => registrationView(snapshot()),
    /** `registered.quiet` */
    where: () => {
      const { value } = snapshot();
      return typeof value === 'string' ? value : `registered.${value.registered}`;
    },
    send: (type: RegistrationEvent['type']) => actor.send({ type, ...now() }),
    pass: (ms: number) => clock.increment(ms),
    /** The call that waits for an answer; a failed expectation where there is none. */
    open: (kind: Call['kind']): Call => {
      const call = calls.at(-1);
      if (call === undefined || call.kind !== kind) throw new Error(`expected an open ${kind} call, found ${call?.kind ?? 'none'}`);
      return call;
    },
  };
};

export type Driver = ReturnType<typeof driveRegistration>;

/** Registered, first heartbeat accepted, quiet time over. */
export const settled = async (driver: Driver): Promise<void> => {
  await driver.open('register').answer(accepted());
  await driver.open('heartbeat').answer(accepted());
  driver.pass(100);
};
