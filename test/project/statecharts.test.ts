/** The committed pictures are those of the machines, and mean the same to those who load them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { chartedMachines, chartFiles } from '../../tools/statecharts/charts.ts';
import { joinLines } from '../../tools/statecharts/join-lines.ts';
import { type Chart, type ChartState, readChart } from '../../tools/statecharts/read-chart.ts';

const dir = join(import.meta.dirname, '..', '..', 'statecharts');
const files = await chartFiles();
const machines = Object.entries(chartedMachines);

const statesOf = (state: ChartState): ChartState[] => [state, ...state.states.flatMap(statesOf)];
const textOf = (name: string): string => files[name] ?? '';

describe('statecharts/', () => {
  it('has the files of each machine and no others', async () => {
    expect((await readdir(dir)).sort()).toEqual(Object.keys(files).sort());
  });

  it.each(Object.keys(files))('%s is as the machine is', async (name) => {
    expect(await readFile(join(dir, name), 'utf8'), `statecharts/${name} is stale: npm run statecharts`).toBe(files[name]);
  });
});

describe.each(machines)('the pictures of %s', (name, machine) => {
  const chart = readChart(machine);

  it('load again as the same chart from JSON, with names only', () => {
    const loaded: Chart = readChart(createMachine(JSON.parse(textOf(`${name}.json`))));
    expect(loaded).toEqual(chart);
    expect(textOf(`${name}.json`)).not.toContain('"unnamed"');
  });

  it('show every state', () => {
    for (const { id, name: label, states } of statesOf(chart.root).slice(1)) {
      expect(textOf(`${name}.svg`)).toContain(`<title>${states.length > 0 ? 'cluster_' : ''}${id}</title>`);
      expect(textOf(`${name}.mmd`)).toMatch(new RegExp(`state "${label}(<br/>\\w+)*" as ${id.split('.').slice(1).join('_')}\\b`));
    }
  });

  it('lose no event and no condition by joining', () => {
    const shown = joinLines(chart);
    for (const { source, target, event, guard } of chart.edges) {
      const labels = shown.filter((line) => line.target === target && source.startsWith(line.source)).flatMap((line) => line.labels);
      const isSaid = (label: string): boolean => label.includes(event) && (guard === null || label.includes(`[${guard}]`));
      expect(labels.some(isSaid), `${source} ${event} [${guard}] → ${target}`).toBe(true);
    }
  });

  it('have one line per pair of states', () => {
    const lines = joinLines(chart).map(({ source, target }) => `${source} → ${target}`);
    expect(lines).toEqual([...new Set(lines)]);
  });
});
