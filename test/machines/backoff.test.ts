/** Jitter and doubling: the numbers that keep nodes and retries from meeting. */
import { describe, expect, it } from 'vitest';
import { doubled, jittered } from '../../src/machines/policies/backoff.ts';

const seeds = (count: number) => Array.from({ length: count }, (_, index) => `gpu-node-${index}`);

describe('jitter', () => {
  it('is the same for the same seed', () => {
    expect(jittered(10_000, 0.2, 'node-a:7')).toBe(jittered(10_000, 0.2, 'node-a:7'));
  });

  it('stays within its spread and uses all of it evenly', () => {
    const delays = seeds(1000).map((seed) => jittered(10_000, 0.2, seed));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(8_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(12_000);
    const tenths = Array.from(
      { length: 10 },
      (_, tenth) => delays.filter((delay) => Math.min(9, Math.floor((delay - 8_000) / 400)) === tenth).length,
    );
    for (const count of tenths) expect(count).toBeGreaterThan(60);
  });

  it('differs between one heartbeat of a node and its next', () => {
    const delays = Array.from({ length: 50 }, (_, sequence) => jittered(10_000, 0.2, `gpu-node-1:${sequence}`));
    expect(new Set(delays).size).toBeGreaterThan(45);
  });

  it('keeps 200 nodes that restart together under twice the mean rate', () => {
    const perSecond = new Map<number, number>();
    for (const seed of seeds(200)) {
      let at = 0;
      for (let sequence = 0; sequence < 30; sequence += 1) {
        at += jittered(10_000, 0.2, `${seed}:${sequence}`);
        if (at >= 200_000 && at < 280_000) perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1);
      }
    }
    const mean = [...perSecond.values()].reduce((sum, count) => sum + count, 0) / 80;
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(2 * mean);
  });

  it('is never negative and leaves zero alone', () => {
    expect(jittered(0, 0.25, 'x')).toBe(0);
    for (const seed of seeds(20)) expect(jittered(10, 3, seed)).toBeGreaterThanOrEqual(0);
  });
});

describe('doubling', () => {
  it('goes 1, 2, 4, 8, 16, 30 seconds and stays', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 60].map((attempt) => doubled(1000, 30_000, attempt))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });
});
