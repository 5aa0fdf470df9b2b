/** When a pool may be started again: the exact series, its limits, the breaker and what resets it. */
import { describe, expect, it } from 'vitest';
import { closeBreaker, freshRestart, noteFailure, noteStable, noteStart } from '../../src/machines/policies/restart.ts';
import type { ReasonCode } from '../../src/machines/reasons.ts';
import type { RestartMemory } from '../../src/machines/vocabulary.ts';
import { spec } from '../kit/pool-words.ts';

const limits = spec.restart;
const minute = 60_000;

/** What a pool that starts and fails at these times would wait, and whether its breaker is open. */
const failAt = (times: readonly number[], code: ReasonCode = 'engine_exited', from: RestartMemory = freshRestart, seed = 'pool-0') => {
  let memory = from;
  const waits: { readonly delayMs: number; readonly crashLoop: boolean }[] = [];
  for (const mono of times) {
    const { delayMs, crashLoop, memory: next } = noteFailure(noteStart(memory, limits, mono), limits, code, mono, seed);
    waits.push({ delayMs, crashLoop });
    memory = next;
  }
  return { waits, memory };
};
/** Too far apart for the window. */
const seldom = (count: number) => Array.from({ length: count }, (_, index) => index * 11 * minute);
const often = (count: number) => Array.from({ length: count }, (_, index) => index * minute);
const within = (delayMs: number | undefined, baseMs: number) => {
  expect(delayMs).toBeGreaterThanOrEqual(baseMs * 0.75);
  expect(delayMs).toBeLessThanOrEqual(baseMs * 1.25);
};

describe('the delay', () => {
  it('doubles from a second to a minute and stays there', () => {
    const bases = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60];
    const { waits } = failAt(seldom(bases.length));
    for (const [index, seconds] of bases.entries()) within(waits[index]?.delayMs, seconds * 1_000);
    expect(waits.every(({ crashLoop }) => !crashLoop)).toBe(true);
  });

  it('is this series, whenever it is computed', () => {
    expect(failAt(seldom(8)).waits.map(({ delayMs }) => delayMs)).toEqual([1_167, 2_161, 4_782, 6_610, 12_889, 26_804, 49_666, 71_342]);
  });

  it('differs between pools, and uses all of its play', () => {
    const firsts = Array.from({ length: 500 }, (_, index) => failAt([0], 'engine_exited', freshRestart, `pool-${index}`).waits[0]?.delayMs ?? 0);
    for (const delayMs of firsts) within(delayMs, 1_000);
    expect(Math.min(...firsts)).toBeLessThan(770);
    expect(Math.max(...firsts)).toBeGreaterThan(1_230);
  });

  it('is twice as long where CUDA or the driver is to blame, within the same cap', () => {
    for (const code of ['cuda_error', 'driver_error'] as const) {
      const { waits } = failAt(seldom(8), code);
      for (const [index, seconds] of [2, 4, 8, 16, 32, 60, 60, 60].entries()) within(waits[index]?.delayMs, seconds * 1_000);
    }
  });

  it('follows the limits of the spec', () => {
    const own = { ...limits, initial_ms: 10, max_ms: 30 };
    const delays = [0, 1, 2, 3].map((attempt) => noteFailure({ ...freshRestart, attempt }, own, 'engine_exited', 0, 's').delayMs);
    for (const [index, baseMs] of [10, 20, 30, 30].entries()) expect(Math.abs((delays[index] ?? 0) - baseMs)).toBeLessThanOrEqual(baseMs * 0.25 + 1);
  });

  it('stays finite after more failures than a power of two can hold', () => {
    within(noteFailure({ ...freshRestart, attempt: 5_000 }, limits, 'cuda_error', 0, 's').delayMs, 60_000);
    within(noteFailure({ ...freshRestart, opened: 5_000 }, limits, 'cuda_error', 0, 's').delayMs, 60 * minute);
  });
});

describe('the breaker', () => {
  it('opens at the eighth start within ten minutes, and not at the seventh', () => {
    expect(failAt(often(8)).waits.map(({ crashLoop }) => crashLoop)).toEqual([false, false, false, false, false, false, false, true]);
    expect(failAt([...often(7), 10 * minute]).waits.at(-1)?.crashLoop, 'the first has left the window').toBe(false);
    expect(failAt([...often(7), 10 * minute - 1]).waits.at(-1)?.crashLoop).toBe(true);
  });

  it('waits five minutes, then twice as long for each half-open start that fails, up to an hour', () => {
    const { waits, memory } = failAt([...often(8), ...Array.from({ length: 6 }, (_, index) => (index + 2) * 60 * minute)]);
    for (const [index, minutes] of [5, 10, 20, 40, 60, 60, 60].entries()) {
      within(waits[index + 7]?.delayMs, minutes * minute);
      expect(waits[index + 7]?.crashLoop).toBe(true);
    }
    expect(memory.opened).toBe(7);
  });

  it('is closed by a stable minute, which forgets the window but not the attempts', () => {
    const { memory } = failAt(often(8));
    const closed = closeBreaker(memory);
    expect(closed).toEqual({ count: 8, attempt: 8, startsMono: [], opened: 0 });
    const { waits } = failAt([10 * minute], 'engine_exited', closed);
    expect(waits[0]?.crashLoop).toBe(false);
    within(waits[0]?.delayMs, 60_000);
  });

  it('that is closed loses nothing by a stable minute: an engine that dies every other minute opens it', () => {
    let memory: RestartMemory = freshRestart;
    let opened = 0;
    for (let start = 0; start < 10; start += 1) {
      const mono = start * 70_000;
      memory = closeBreaker(noteStart(memory, limits, mono));
      const failed = noteFailure(memory, limits, 'engine_exited', mono + 61_000, 's');
      memory = failed.memory;
      if (failed.crashLoop) opened += 1;
    }
    expect(opened).toBeGreaterThan(0);
  });

  it('counts starts of this boot only: a later one than now was in another', () => {
    const memory = { ...freshRestart, startsMono: Array.from({ length: 8 }, () => 50 * minute) };
    expect(noteFailure(memory, limits, 'engine_exited', 5 * minute, 's')).toMatchObject({ crashLoop: false, memory: { startsMono: [] } });
    expect(noteStart(memory, limits, 5 * minute).startsMono).toEqual([5 * minute]);
  });

  it('where nobody can tell the time counts every start as recent', () => {
    expect(noteFailure({ ...freshRestart, startsMono: often(8) }, limits, 'driver_error', null, 's').crashLoop).toBe(true);
  });

  it('keeps no more starts than it counts', () => {
    let memory: RestartMemory = freshRestart;
    for (let mono = 0; mono < 1_000; mono += 1) memory = noteStart(memory, limits, mono);
    expect(memory.startsMono).toEqual([992, 993, 994, 995, 996, 997, 998, 999]);
  });
});

describe('five stable minutes', () => {
  it('forget everything but how often the pool was restarted', () => {
    expect(noteStable(failAt(often(9)).memory)).toEqual({ count: 9, attempt: 0, startsMono: [], opened: 0 });
  });
});
