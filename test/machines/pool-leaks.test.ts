/** A pool that is started and ended again and again keeps no actor, no timer and no work of before. */
import { expect, it } from 'vitest';
import { drivePool, type PoolDriver } from '../kit/pool-driver.ts';
import { empty, end, toReady } from '../kit/pool-steps.ts';

const cycles = 1_000;

const children = (pool: PoolDriver): readonly string[] => Object.keys(pool.snapshot().children).sort();

it('A thousand starts and ends leave the actors as they were', { timeout: 60_000 }, async () => {
  const pool = drivePool(null);
  pool.send({ type: 'gpus.matched', gpus: [] });
  const seen = new Map<string, readonly string[]>();
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    if (cycle > 0) pool.send({ type: 'pool.start' });
    await toReady(pool);
    pool.send({ type: 'pool.drain', deadlineMs: null });
    empty(pool);
    await end(pool);
    expect(pool.where()).toBe('offline.stopped');
    if (cycle === 1 || cycle === cycles - 1) seen.set(String(cycle), children(pool));
  }
  expect(seen.get(String(cycles - 1))).toEqual(seen.get('1'));
  expect(pool.watchers.filter(({ alive }) => alive).map(({ name }) => name)).toEqual(['keepMemory']);
  expect(pool.works.filter(({ state }) => state === 'open')).toEqual([]);
  expect(pool.violations).toEqual([]);
  pool.stop();
});
