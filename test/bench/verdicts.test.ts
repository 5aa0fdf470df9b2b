/** What the bench makes of figures: percentiles, verdicts against aims, and what is a gross regression. */
import { describe, expect, it } from 'vitest';
import { isGrosslyWorse } from '../../bench/kit/history.ts';
import { median, percentile, slope } from '../../bench/kit/numbers.ts';
import { type Aim, aimText, type Finding, ratioOf, verdictOf } from '../../bench/kit/row.ts';

const finding = (facts: Partial<Finding> = {}): Finding => ({
  key: 'a',
  what: 'a thing',
  figure: 10,
  unit: 'ms',
  better: 'less',
  against: { what: 'bare', figure: 5 },
  aim: null,
  ...facts,
});

describe('numbers', () => {
  it('are values that were measured, by nearest rank', () => {
    expect(percentile([3, 1, 2, 4], 50)).toBe(2);
    expect(percentile([3, 1, 2, 4], 99)).toBe(4);
    expect(median([7])).toBe(7);
    expect(() => median([])).toThrow('found none');
  });

  it('rise by the slope of the line through them', () => {
    expect(slope([5, 7, 9])).toBe(2);
    expect(slope([1, 4, 1, 4])).toBeCloseTo(0.6);
    expect(slope([3, 3, 3])).toBe(0);
    expect(() => slope([1])).toThrow('found 1');
  });
});

describe('a verdict', () => {
  it.each<[Aim['of'], number, 'less' | 'more', string, string]>([
    ['figure', 10, 'less', 'met', '≤ 10 ms'],
    ['figure', 9, 'less', 'missed', '≤ 9 ms'],
    ['difference', 5, 'less', 'met', '≤ 5 ms more'],
    ['difference', 4, 'less', 'missed', '≤ 4 ms more'],
    ['ratio', 2, 'less', 'met', '≤ 2 ×'],
    ['ratio', 2.1, 'more', 'missed', '≥ 2.1 ×'],
    ['ratio', 2, 'more', 'met', '≥ 2 ×'],
  ])('on 10 against 5 with %s %d, %s is better: %s', (of, limit, better, verdict, text) => {
    const judged = finding({ better, aim: { of, limit } });
    expect(verdictOf(judged)).toBe(verdict);
    expect(aimText(judged)).toBe(text);
  });

  it('is none without an aim, and a ratio needs something to measure against', () => {
    expect(verdictOf(finding())).toBe('shown');
    expect(ratioOf(finding({ against: null }))).toBeNull();
    expect(() => verdictOf(finding({ against: null, aim: { of: 'ratio', limit: 1 } }))).toThrow('needs something to measure against');
  });

  it('is never met by what was not measured', () => {
    expect(verdictOf(finding({ figure: Number.NaN, aim: { of: 'figure', limit: 5 } }))).toBe('missed');
    expect(verdictOf(finding({ figure: Number.NaN, better: 'more', aim: { of: 'figure', limit: 5 } }))).toBe('missed');
  });
});

describe('a gross regression', () => {
  it('is a ratio three times as bad as the recorded one, whichever way is better', () => {
    expect(isGrosslyWorse(finding(), { a: { figure: 1, ratio: 0.66 } })).toBe(true);
    expect(isGrosslyWorse(finding(), { a: { figure: 1, ratio: 0.67 } })).toBe(false);
    expect(isGrosslyWorse(finding({ better: 'more' }), { a: { figure: 1, ratio: 6 } })).toBe(true);
    expect(isGrosslyWorse(finding({ better: 'more' }), { a: { figure: 1, ratio: 5.9 } })).toBe(false);
  });

  it('is none where nothing was recorded, or there is no ratio', () => {
    expect(isGrosslyWorse(finding(), {})).toBe(false);
    expect(isGrosslyWorse(finding(), { a: { figure: 1, ratio: null } })).toBe(false);
    expect(isGrosslyWorse(finding({ against: null }), { a: { figure: 1, ratio: 1 } })).toBe(false);
  });
});
