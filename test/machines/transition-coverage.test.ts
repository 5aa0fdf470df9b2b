/** The collector that other machine tests rest on: it must notice what was not taken, and nothing else. */

import { describe, expect, it } from 'vitest';
import { createActor, createMachine, fromPromise, SimulatedClock, setup } from 'xstate';
import { createCoverage } from '../kit/transition-coverage.ts';

const lamp = setup({
  actors: { bulb: fromPromise<void>(() => Promise.reject(new Error('not provided'))) },
  guards: { never: () => false },
}).createMachine({
  id: 'lamp',
  initial: 'dark',
  states: {
    dark: { on: { press: [{ guard: 'never', target: 'lit' }, { target: 'warming' }] } },
    warming: { invoke: { src: 'bulb', onDone: 'lit', onError: 'broken' } },
    lit: { after: { 1000: 'checking' } },
    checking: { always: 'dark' },
    broken: {},
  },
  on: { knock: { actions: () => undefined } },
});

describe('transition coverage', () => {
  it('names every transition of a machine that nothing has driven', () => {
    const coverage = createCoverage(lamp);
    createActor(lamp, { inspect: coverage.inspect }).start().stop();
    expect(coverage.missing()).toHaveLength(7);
    expect(coverage.total).toBe(7);
  });

  it('counts done, error, timers, eventless ones and the root, also of a machine whose actors were provided', async () => {
    const coverage = createCoverage(lamp);
    const clock = new SimulatedClock();
    const works = createActor(lamp.provide({ actors: { bulb: fromPromise<void>(async () => undefined) } }), {
      clock,
      inspect: coverage.inspect,
    }).start();
    works.send({ type: 'knock' });
    works.send({ type: 'press' });
    await new Promise<void>((resolve) => works.subscribe((snapshot) => snapshot.value === 'lit' && resolve()));
    clock.increment(1000);
    expect(works.getSnapshot().value).toBe('dark');
    expect(coverage.missing()).toEqual(['lamp.dark on press [0] if never -> lamp.lit', expect.stringContaining('xstate.error.actor')]);
  });

  it('does not take the transitions of another machine in the same system for ours', () => {
    const other = createMachine({ id: 'other', initial: 'a', states: { a: { on: { press: 'b' } }, b: {} } });
    const coverage = createCoverage(lamp);
    const actor = createActor(other, { inspect: coverage.inspect }).start();
    actor.send({ type: 'press' });
    expect(coverage.missing()).toHaveLength(coverage.total);
  });
});
