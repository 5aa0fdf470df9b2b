/** How much the tour asks of an engine, to find it at work when the drain begins. */
import { expect, it } from 'vitest';
import { heavierThan, type Work, workFor } from '../../src/demo/tour/completion.ts';

const done = (tokens: number, ms: number) => ({ tokens, ms, text: '' });

it('is as much as takes so long, going by what was measured, in as few requests as hold it', () => {
  expect(workFor(3_000, done(24, 600))).toEqual({ requests: 1, tokens: 120 });
  expect(workFor(3_000, done(24, 18))).toEqual({ requests: 4, tokens: 1_000 });
  expect(workFor(3_000, done(24, 1))).toEqual({ requests: 8, tokens: 1_000 });
  expect(workFor(3_000, done(24, 60_000))).toEqual({ requests: 1, tokens: 16 });
});

it('becomes more where that was done before the drain was seen, and there is an end to it', () => {
  const asked: Work[] = [];
  for (let work: Work | null = workFor(3_000, done(24, 60_000)); work !== null; work = heavierThan(work)) asked.push(work);
  expect(asked).toEqual([
    { requests: 1, tokens: 16 },
    { requests: 1, tokens: 128 },
    { requests: 2, tokens: 1_000 },
    { requests: 8, tokens: 1_000 },
  ]);
});
