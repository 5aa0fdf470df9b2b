/**
 * Says which transitions of a machine no test has taken yet: `on`, `always`, `after`, `onDone` and `onError`, each candidate
 * of each list by itself. Give `inspect` to every `createActor` of a test file and expect `missing()` to be empty at the end.
 *
 * A transition is known by its state, event and place in the list, not by identity: `provide()` makes new definitions.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition, InspectionEvent } from 'xstate';

export interface Coverage {
  /** For `createActor(machine, { inspect })`. Other machines of the same actor system are passed over. */
  readonly inspect: (event: InspectionEvent) => void;
  /** One line per transition not taken: `pool.ready on pool.drain [0] if isWanted -> pool.draining`. Empty: all were. */
  readonly missing: () => readonly string[];
  /** Transitions of the machine. */
  readonly total: number;
}

export const createCoverage = (machine: AnyStateMachine): Coverage => {
  const expected = new Map(nodesBelow(machine.root).flatMap((node) => transitionsOf(node).map((found) => [keyOf(found), describe(found)] as const)));
  const taken = new Set<string>();
  return {
    inspect: (event) => {
      if (event.type !== '@xstate.microstep') return;
      for (const transition of event._transitions) {
        if (isInitial(transition) || transition.source.machine.id !== machine.id) continue;
        taken.add(keyOf(transition));
      }
    },
    missing: () => [...expected].filter(([key]) => !taken.has(key)).map(([, text]) => text),
    total: expected.size,
  };
};

const nodesBelow = (node: AnyStateNode): AnyStateNode[] => [node, ...Object.values(node.states).flatMap(nodesBelow)];

const transitionsOf = (node: AnyStateNode): AnyTransitionDefinition[] => [...[...node.transitions.values()].flat(), ...(node.always ?? [])];

/** The step into the initial state is no transition of the chart. */
const isInitial = (transition: AnyTransitionDefinition): boolean =>
  transition.source === undefined || transitionsOf(transition.source).indexOf(transition) < 0;

const keyOf = (transition: AnyTransitionDefinition): string => `${transition.source.id} ${transition.eventType} ${placeOf(transition)}`;

const placeOf = (transition: AnyTransitionDefinition): number =>
  transitionsOf(transition.source)
    .filter((other) => other.eventType === transition.eventType)
    .indexOf(transition);

const describe = (transition: AnyTransitionDefinition): string => {
  const { source, target, guard } = transition;
  const name = guard === undefined ? '' : ` if ${typeof guard === 'string' ? guard : JSON.stringify(guard)}`;
  const goal = target === undefined ? '(stays)' : target.map((node) => node.id).join(', ');
  return `${source.id} on ${transition.eventType === '' ? 'always' : transition.eventType} [${placeOf(transition)}]${name} -> ${goal}`;
};
