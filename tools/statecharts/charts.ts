/** The machines that have a picture, and the three files of each. Adding a machine is adding a row. */
import type { AnyStateMachine } from 'xstate';
import { charts } from '../../src/machines/charts.ts';
import { configJson } from './config-json.ts';
import { drawMermaid } from './draw-mermaid.ts';
import { drawSvg } from './draw-svg.ts';
import { readChart } from './read-chart.ts';

export const chartedMachines: Readonly<Record<string, AnyStateMachine>> = charts;

/** File name in `statecharts/` → its text. */
export const chartFiles = async (): Promise<Readonly<Record<string, string>>> =>
  Object.fromEntries((await Promise.all(Object.entries(chartedMachines).map(([name, machine]) => filesOf(name, machine)))).flat());

const filesOf = async (name: string, machine: AnyStateMachine): Promise<(readonly [string, string])[]> => {
  const chart = readChart(machine);
  return [
    [`${name}.json`, configJson(machine)],
    [`${name}.mmd`, drawMermaid(chart)],
    [`${name}.svg`, await drawSvg(chart)],
  ];
};
