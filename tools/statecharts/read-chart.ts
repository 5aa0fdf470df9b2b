/**
 * A machine as plain data for drawing: its states, and its transitions that lead somewhere.
 *
 * Transitions without a target are left out: they move nothing. Knows no picture format.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { fixedParams } from './fixed-params.ts';

export interface ChartState {
  readonly id: string;
  readonly name: string;
  readonly type: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  /** The actors that work while the state lasts. */
  readonly actors: readonly string[];
  /** Id of the child entered first; null where there is none or all are. */
  readonly initial: string | null;
  readonly states: readonly ChartState[];
}

export interface ChartEdge {
  readonly source: string;
  readonly target: string;
  /** `pool.drain`, `done spawnEngine`, `error spawnEngine`, `after stable`, `all done`; empty: at once. */
  readonly event: string;
  /** `isManaged`, `settlesAs blocked`; null: always. */
  readonly guard: string | null;
}

export interface Chart {
  readonly root: ChartState;
  readonly edges: readonly ChartEdge[];
}

export const readChart = (machine: AnyStateMachine): Chart => ({
  root: readState(machine.root),
  edges: statesBelow(machine.root).flatMap(edgesFrom),
});

/** `isManaged`; with what is fixed in the chart behind it: `settlesAs blocked`. A condition without a name is shown as such. */
export const guardName = (guard: unknown): string | null => {
  if (guard === undefined || guard === null) return null;
  if (typeof guard === 'string') return guard;
  const type = property(guard, 'type');
  const name = typeof type === 'string' ? type : 'unnamed condition';
  const fixed = Object.values(fixedParams(property(guard, 'params')) ?? {});
  return [name, ...fixed.filter((value) => typeof value === 'string')].join(' ');
};

const readState = (node: AnyStateNode): ChartState => ({
  id: node.id,
  name: node.key,
  type: node.type,
  actors: node.invoke.map(({ src }) => (typeof src === 'string' ? src : 'unnamed actor')),
  initial: node.type === 'compound' ? (node.initial.target[0]?.id ?? null) : null,
  states: Object.values(node.states).map(readState),
});

const statesBelow = (node: AnyStateNode): AnyStateNode[] => [node, ...Object.values(node.states).flatMap(statesBelow)];

const edgesFrom = (node: AnyStateNode): ChartEdge[] =>
  [...[...node.transitions.values()].flat(), ...(node.always ?? [])].flatMap((transition) =>
    (transition.target ?? []).map((target) => ({
      source: node.id,
      target: target.id,
      event: eventName(transition),
      guard: guardName(transition.guard),
    })),
  );

/** xstate's own events in words: `xstate.done.actor.spawnEngine` → `done spawnEngine`. Delays are named, so `after` has its name. */
const eventName = ({ eventType, source }: AnyTransitionDefinition): string =>
  eventType
    .replace(/^xstate\.(done|error)\.actor\./, '$1 ')
    .replace(/^xstate\.done\.state\..*/, 'all done')
    .replace(/^xstate\.after\./, 'after ')
    .replace(new RegExp(`^(after .*)\\.${RegExp.escape(source.id)}$`), '$1');

const property = (value: unknown, name: string): unknown =>
  (typeof value === 'object' || typeof value === 'function') && value !== null ? Reflect.get(value, name) : undefined;
