/**
 * Joins transitions into lines, so that a picture of them stays readable. Pure.
 *
 * Those that leave one public state for the same goal become one line from what they have in common, which names the child
 * at each event. Ids are paths: `pool.draining.stuck`.
 */
import type { Chart, ChartEdge } from './read-chart.ts';

export interface Line {
  readonly source: string;
  readonly target: string;
  readonly labels: readonly string[];
  /** The same for every transition that is drawn as this line: who leaves, and the goal. The dashboard finds lines by it. */
  readonly key: string;
}

export const isWithin = (id: string, ancestor: string): boolean => id === ancestor || id.startsWith(`${ancestor}.`);

export const joinLines = ({ edges }: Chart): Line[] =>
  [...Map.groupBy(edges, (edge) => `${leavesTop(edge) ? topOf(edge.source) : edge.source}:${edge.target}`)].map(lineOf);

const lineOf = ([key, edges]: readonly [string, readonly ChartEdge[]]): Line => {
  const source = commonAncestor(edges.map((edge) => edge.source));
  const groups = Map.groupBy(edges, (edge) => JSON.stringify([edge.source, edge.guard, edge.event === '']));
  return { source, target: edges[0]?.target ?? source, labels: [...groups.values()].map((same) => labelOf(same, source)), key };
};

/** `emptying: pool.drain, pool.remove [isManaged]`; at once: `[isManaged]`, without a condition `otherwise`. */
export const labelOf = (same: readonly ChartEdge[], from: string): string => {
  const [first] = same;
  if (first === undefined) return '';
  const events = same.map(({ event }) => event).filter((event) => event !== '');
  const condition = first.guard === null ? [] : [`[${first.guard}]`];
  const words = [...(events.length === 0 ? [] : [events.join(', ')]), ...condition];
  const child = first.source === from ? '' : `${first.source.slice(from.length + 1)}: `;
  return `${child}${words.length === 0 ? 'otherwise' : words.join(' ')}`;
};

const topOf = (id: string): string => id.split('.').slice(0, 2).join('.');

const leavesTop = ({ source, target }: ChartEdge): boolean => !isWithin(target, topOf(source));

const commonAncestor = (ids: readonly string[]): string => {
  const [first = '', ...rest] = ids;
  const steps = first.split('.');
  const shared = steps.findIndex((_, index) => !rest.every((id) => isWithin(id, steps.slice(0, index + 1).join('.'))));
  return steps.slice(0, shared < 0 ? steps.length : shared).join('.');
};
