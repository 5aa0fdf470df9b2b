import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pauseTogether } from '../../src/actors/pause-together.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const never = new AbortController().signal;

/** Starts pauses at their times and says when each ended. */
const ends = async (pauses: readonly (readonly [beginMs: number, ms: number])[]): Promise<readonly number[]> => {
  const pause = pauseTogether();
  const begun = performance.now();
  const ended: number[] = [];
  for (const [index, [beginMs, ms]] of pauses.entries())
    setTimeout(() => {
      void pause(ms, never).then(() => {
        ended[index] = Math.round(performance.now() - begun);
      });
    }, beginMs);
  await vi.advanceTimersByTimeAsync(60_000);
  return ended;
};

describe('Pauses that may end together', () => {
  it('end at their time when alone, and with another up to a quarter early', async () => {
    expect(await ends([[0, 2_000]])).toEqual([2_000]);
    expect(
      await ends([
        [0, 2_000],
        [400, 2_000],
        [600, 2_000],
      ]),
    ).toEqual([2_000, 2_000, 2_600]);
  });

  it('end in the order in which they are due, however long they are', async () => {
    expect(
      await ends([
        [0, 10_000],
        [0, 1_000],
        [100, 2_000],
      ]),
    ).toEqual([10_000, 1_000, 2_100]);
  });

  it('end eight at once at most, the others at their own time', async () => {
    expect(await ends(Array.from({ length: 12 }, (_, index) => [index, 1_000] as const))).toEqual([...Array(8).fill(1_000), ...Array(4).fill(1_008)]);
  });

  it('end at once when given up, and leave the others as they are', async () => {
    const pause = pauseTogether();
    const [first, gone] = [new AbortController(), new AbortController()];
    gone.abort();
    const told: string[] = [];
    void pause(1_000, first.signal).then(() => told.push('first'));
    void pause(2_000, never).then(() => told.push('second'));
    void pause(1_000, gone.signal).then(() => told.push('gone'));
    first.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['gone', 'first']);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(told).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });
});
