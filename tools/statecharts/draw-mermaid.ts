/** A chart as Mermaid's `stateDiagram-v2`: nested states first, then the lines between them, which Mermaid takes in any nesting. Pure. */
import { joinLines } from './join-lines.ts';
import type { Chart, ChartState } from './read-chart.ts';

export const drawMermaid = (chart: Chart): string =>
  [
    'stateDiagram-v2',
    ...childrenOf(chart.root, '  '),
    ...joinLines(chart).map(({ source, target, labels }) => `  ${nameOf(source)} --> ${nameOf(target)}: ${labels.map(plain).join('<br/>')}`),
    '',
  ].join('\n');

const childrenOf = (state: ChartState, indent: string): string[] => [
  ...(state.initial === null ? [] : [`${indent}[*] --> ${nameOf(state.initial)}`]),
  ...state.states.flatMap((child, index) => [...(state.type === 'parallel' && index > 0 ? [`${indent}--`] : []), ...drawState(child, indent)]),
];

const drawState = (state: ChartState, indent: string): string[] => {
  const declared = `${indent}state "${[state.name, ...state.actors].join('<br/>')}" as ${nameOf(state.id)}`;
  const end = state.type === 'final' ? [`${indent}${nameOf(state.id)} --> [*]`] : [];
  return state.states.length === 0 ? [declared, ...end] : [`${declared} {`, ...childrenOf(state, `${indent}  `), `${indent}}`];
};

/** `pool.starting.proving` → `starting_proving`: dots mean something else there. */
const nameOf = (id: string): string => id.split('.').slice(1).join('_') || id;

/** A colon begins a label, a semicolon ends a statement. */
const plain = (label: string): string => label.replaceAll(':', '∶').replaceAll(';', ',');
