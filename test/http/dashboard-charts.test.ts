/** What the dashboard knows of charts fits the drawings: states and lines by their names, and journals line by line. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { momentsIn, openJournal } from '../../src/http/dashboard/page/journal.ts';
import { lineKey, pathText, statesIn } from '../../src/http/dashboard/page/state-path.ts';
import { eventInWords } from '../../src/http/dashboard/page/words.ts';
import { pathOf } from '../../src/machines/policies/describe.ts';
import { chartedMachines } from '../../tools/statecharts/charts.ts';
import { type ChartState, readChart } from '../../tools/statecharts/read-chart.ts';

const drawing = (name: string): Promise<string> => readFile(new URL(`../../statecharts/${name}.svg`, import.meta.url), 'utf8');

const allBelow = (state: ChartState): readonly ChartState[] => [state, ...state.states.flatMap(allBelow)];

describe.each(Object.entries(chartedMachines))('the drawing of %s', (name, machine) => {
  const chart = readChart(machine);

  it('has a line for every transition, by the name that the dashboard looks for', async () => {
    const ids = new Set([...(await drawing(name)).matchAll(/<g id="([^"]+)" class="edge"/g)].map(([, id]) => id));
    expect(chart.edges.length).toBeGreaterThan(3);
    expect(chart.edges.filter(({ source, target }) => !ids.has(lineKey(source, target)))).toEqual([]);
  });

  it('has every state by its name', async () => {
    const titles = new Set([...(await drawing(name)).matchAll(/<title>(?:cluster_)?([^<]+)<\/title>/g)].map(([, title]) => title));
    expect(
      allBelow(chart.root)
        .slice(1)
        .filter(({ id }) => !titles.has(id)),
    ).toEqual([]);
  });
});

describe('a path of states', () => {
  it.each([
    ['ready.healthy', ['pool', 'pool.ready', 'pool.ready.healthy']],
    [
      'provisioning.(engine.present,model.fetching)',
      [
        'pool',
        'pool.provisioning',
        'pool.provisioning.engine',
        'pool.provisioning.engine.present',
        'pool.provisioning.model',
        'pool.provisioning.model.fetching',
      ],
    ],
    ['lifecycle.serving,gpus.known', ['pool', 'pool.lifecycle', 'pool.lifecycle.serving', 'pool.gpus', 'pool.gpus.known']],
    ['', ['pool']],
  ])('%s names every state that is active', (path, states) => {
    expect(statesIn(`pool.${path}`)).toEqual(states);
  });

  it.each([{ ready: 'healthy' }, { provisioning: { engine: 'present', model: 'fetching' } }, { lifecycle: 'serving', gpus: 'known' }, 'idle'])(
    'is the same here as in the journal',
    (value) => {
      expect(pathText(value)).toBe(pathOf(value));
    },
  );
});

describe('events of xstate', () => {
  it.each([
    ['xstate.done.actor.spawnEngine', 'done spawnEngine'],
    ['xstate.after.retryDelay.pool.offline.backingOff', 'after retryDelay'],
    ['xstate.done.state.pool.provisioning', 'all done'],
    ['pool.drain', 'pool.drain'],
  ])('%s is worded as in the drawings', (event, word) => {
    expect(eventInWords(event)).toBe(word);
  });
});

describe('a journal in the dashboard', () => {
  const line = (seq: number, actor: string, state: string, type: string, status = 'active'): string =>
    JSON.stringify({ seq, at: '2026-01-01T00:00:00.000Z', actor, machine: 'pool', state, status, event: { type }, source: null });
  const lines = [
    JSON.stringify({ seq: 1, opened: { continues: false } }),
    line(2, 'a#1', 'uninitialized.idle', 'xstate.init'),
    line(3, 'a#1', 'ready.healthy', 'health.passed'),
    'no line of a journal',
    line(4, 'b#2', 'uninitialized.idle', 'xstate.init'),
    line(5, 'a#1', 'offline.stopped', 'pool.drain', 'done'),
  ];

  it('knows for each line where its actor was before', () => {
    const { moments, passedOver } = momentsIn(lines);
    expect(moments.map(({ actor, from, to }) => `${actor} ${from} → ${to}`)).toEqual([
      'a#1  → uninitialized.idle',
      'a#1 uninitialized.idle → ready.healthy',
      'b#2  → uninitialized.idle',
      'a#1 ready.healthy → offline.stopped',
    ]);
    expect(passedOver).toBe(1);
  });

  it('begins where a checkpoint says', () => {
    const checkpoint = JSON.stringify({ seq: 1, actor: 'a#1', machine: 'pool', checkpoint: { value: { ready: 'healthy' } } });
    expect(momentsIn([checkpoint, line(2, 'a#1', 'ready.suspect', 'health.failed')]).moments[0]).toMatchObject({ from: 'ready.healthy' });
  });

  it('is gone through forwards and back, and everybody is where they were', async () => {
    const journal = await openJournal(new File([lines.join('\n')], 'events.jsonl'));
    const seen = (): string => [...journal.cast.values()].map(({ id, path }) => `${id} ${path}`).join('; ');
    const story: string[] = [];
    for (let place = 0; place < journal.moments.length; place += 1) {
      journal.goTo(place);
      story.push(seen());
    }
    expect(story).toEqual(['a#1 uninitialized.idle', 'a#1 ready.healthy', 'a#1 ready.healthy; b#2 uninitialized.idle', 'b#2 uninitialized.idle']);
    const back: string[] = [];
    for (let place = journal.moments.length - 1; place >= 0; place -= 1) {
      journal.goTo(place);
      back.unshift(seen().split('; ').sort().join('; '));
    }
    expect(back).toEqual(story);
    journal.goTo(99);
    expect(journal.at()).toBe(3);
  });

  it('that is none is refused with what was expected', async () => {
    await expect(openJournal(new File(['{}'], 'other.json'))).rejects.toThrow('expected the lines of a journal');
  });
});
