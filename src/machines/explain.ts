/**
 * What one event of a journal did: the transitions taken, the guards asked for it, the actions ordered, step by step. Pure: the
 * fold of `replay.ts` with machines whose guards are listened to; nothing is executed.
 */
import { type AnyActorScope, type AnyMachineSnapshot, type AnyStateMachine, createActor, getInitialMicrosteps, type InspectionEvent } from 'xstate';
import { pathOf } from './policies/describe.ts';
import { type FoldedLine, type Replay, type ReplayOptions, replay } from './replay.ts';

export interface Explanation {
  readonly line: FoldedLine;
  /** Empty at the beginning of a life. */
  readonly from: string;
  /** None: in this state the event does nothing. */
  readonly steps: readonly Step[];
  /** Guards that were asked and led to no step. */
  readonly inVain: readonly Asked[];
  /** Top-level parts of the context that are other than before. */
  readonly changed: readonly string[];
  /** What the machine threw, after these steps; null: nothing. */
  readonly failure: string | null;
}

export interface Step {
  /** None at the first step of a life. */
  readonly taken: readonly Taken[];
  readonly from: string;
  readonly to: string;
  /** In the order in which they were asked. */
  readonly guards: readonly Asked[];
  /** Of states left, of the transition, of states entered, in this order. */
  readonly actions: readonly string[];
  /** Actors that begin with the states entered. */
  readonly invokes: readonly string[];
}

export interface Asked {
  readonly name: string;
  readonly params: unknown;
  readonly holds: boolean;
}

export interface Taken {
  readonly source: string;
  /** Empty: without an event, as soon as it may. */
  readonly on: string;
  readonly targets: readonly string[];
}

/** Null: the line is not in the fold, as its actor's beginning is not in the lines or it is a number of none. */
export const explain = (
  lines: Iterable<unknown>,
  seq: number,
  options: ReplayOptions,
): { readonly found: Explanation | null; readonly told: Replay } => {
  const asked: Asked[] = [];
  const machines = Object.fromEntries(Object.entries(options.machines).map(([name, machine]) => [name, listenedTo(machine, asked)]));
  let found: Explanation | null = null;
  const told = replay(lines, {
    ...options,
    machines,
    before: (line, machine, snapshot) => {
      if (line.seq === seq) found = explained(line, machine, snapshot, asked);
    },
  });
  return { found, told };
};

/** The same chart; each guard that has a name notes what it said. */
const listenedTo = (machine: AnyStateMachine, asked: Asked[]): AnyStateMachine => {
  const guards = Object.entries<unknown>(machine.implementations.guards).map(([name, guard]) => {
    if (typeof guard !== 'function') return [name, guard];
    const listened = (facts: unknown, params: unknown): boolean => {
      const holds = guard(facts, params) === true;
      asked.push({ name, params, holds });
      return holds;
    };
    return [name, listened];
  });
  return machine.provide({ guards: Object.fromEntries(guards) });
};

const explained = (line: FoldedLine, machine: AnyStateMachine, snapshot: AnyMachineSnapshot | null, asked: Asked[]): Explanation => {
  const steps: Step[] = [];
  let before = snapshot;
  const observe = (event: InspectionEvent): void => {
    if (event.type !== '@xstate.microstep') return;
    const after = event.snapshot as AnyMachineSnapshot;
    // A step that took no transition is xstate's own: nothing took the event.
    if (event._transitions.length > 0) steps.push(stepOf(event._transitions, before, after, asked.splice(0)));
    before = after;
  };
  const { scope, listen } = inertScope(machine, observe);
  if (snapshot === null) {
    before = getInitialMicrosteps(machine, line.event.input)[0]?.[0] ?? null;
    if (before !== null) steps.push(stepOf([], null, before, []));
  }
  asked.length = 0;
  listen();
  let failure: string | null = null;
  try {
    if (snapshot === null) machine.getInitialSnapshot(scope, line.event.input);
    else machine.transition(snapshot, line.event, scope);
  } catch (thrown) {
    failure = thrown instanceof Error ? thrown.message : String(thrown);
  }
  return {
    line,
    from: snapshot === null ? '' : pathOf(snapshot.value),
    steps,
    inVain: asked.splice(0),
    changed: changedParts(snapshot?.context, before?.context),
    failure,
  };
};

/** Executes nothing and sends nothing; its actor is never started. What happens while it is made is not told. */
const inertScope = (machine: AnyStateMachine, observe: (event: InspectionEvent) => void): { readonly scope: AnyActorScope; listen(): void } => {
  let listening = false;
  const actor = createActor(machine, { inspect: (event) => (listening ? observe(event) : undefined) });
  const nothing = (): void => undefined;
  const scope: AnyActorScope = {
    self: actor,
    system: actor.system,
    id: actor.id,
    sessionId: actor.sessionId,
    logger: nothing,
    defer: nothing,
    emit: nothing,
    stopChild: nothing,
    actionExecutor: nothing,
  };
  return {
    scope,
    listen: () => {
      listening = true;
    },
  };
};

type Transitions = Extract<InspectionEvent, { readonly type: '@xstate.microstep' }>['_transitions'];

const stepOf = (transitions: Transitions, before: AnyMachineSnapshot | null, after: AnyMachineSnapshot, guards: Step['guards']): Step => {
  const left = nodesOf(before).filter((node) => !nodesOf(after).includes(node));
  const entered = nodesOf(after).filter((node) => !nodesOf(before).includes(node));
  // What xstate makes of an initial state is no transition of the chart.
  const own = transitions.filter(({ eventType }) => eventType !== 'xstate.init');
  return {
    taken: own.map(({ source, eventType, target }) => ({ source: source.id, on: eventType, targets: (target ?? []).map(({ id }) => id) })),
    from: before === null ? '' : pathOf(before.value),
    to: pathOf(after.value),
    guards,
    actions: [
      ...left.toReversed().flatMap(({ exit }) => exit),
      ...own.flatMap(({ actions }) => actions),
      ...entered.flatMap(({ entry }) => entry),
    ].map(nameOf),
    invokes: entered.flatMap(({ invoke }) => invoke.map(({ id }) => id)),
  };
};

const nodesOf = (snapshot: AnyMachineSnapshot | null): AnyMachineSnapshot['_nodes'] =>
  (snapshot?._nodes ?? []).toSorted((one, other) => one.order - other.order);

const nameOf = (action: unknown): string => {
  if (typeof action === 'string') return action;
  const name: unknown = typeof action === 'object' && action !== null ? Reflect.get(action, 'type') : Reflect.get(Object(action), 'type');
  return typeof name === 'string' ? name : 'an action without a name';
};

const changedParts = (before: object | undefined, after: object = {}): readonly string[] =>
  Object.keys(after).filter((key) => before === undefined || Reflect.get(before, key) !== Reflect.get(after, key));
