/** Pools made from somebody else's handoff file: watched and reported, never started or ended. */
import { describe, expect, it } from 'vitest';
import type { PoolDriver } from '../../kit/pool-driver.ts';
import { prove } from '../../kit/pool-steps.ts';
import { attachedInput, because, foreignHandoff, gpus, load, spec } from '../../kit/pool-words.ts';
import { drive, settledFiles } from './story.ts';

const failed = { type: 'health.failed', outcome: 'refused', cause: because('health_failed'), hostSuspected: false } as const;
const moved = { ...foreignHandoff, endpoint: 'http://127.0.0.1:9999' };
const notReady = { ...foreignHandoff, ready: false };

const serving = async (): Promise<PoolDriver> => {
  const pool = drive(attachedInput);
  await prove(pool, { residency: 'unproven' });
  expect(pool.where()).toBe('ready.healthy');
  return pool;
};

const watchedAt = (pool: PoolDriver): unknown => pool.watching('probeHealth')?.input;

describe('an attached pool', () => {
  it('is ready once its engine is healthy, and shows that nothing is proven of its memory', async () => {
    const pool = drive(attachedInput);
    expect(pool.where()).toBe('starting.proving');
    expect(pool.open('proveReadiness').input).toMatchObject({ mode: 'attached' });
    expect(pool.watching('watchEngine')).toBeNull();
    await prove(pool, { residency: 'unproven' });
    expect(pool.view()).toMatchObject({ origin: 'attached', state: 'ready', live: false, endpoint: foreignHandoff.endpoint, residency: 'unproven' });
  });

  it('that is not healthy waits and is asked again, for ever', async () => {
    const pool = drive(attachedInput);
    for (let tries = 0; tries < 12; tries += 1) {
      await pool.open('proveReadiness').fail(because('health_failed'));
      expect(pool.where()).toBe('offline.backingOff');
      expect(pool.watching('probeHealth')).toBeNull();
      expect(pool.view()).toMatchObject({ endpoint: null, reason: { code: 'health_failed' } });
      await pool.pass(75_000);
      expect(pool.where()).toBe('starting.proving');
    }
    await prove(pool, { residency: 'unproven' });
    expect(pool.where()).toBe('ready.healthy');
  });

  it('whose proof does not come to an end is given up, not ended', async () => {
    const pool = drive(attachedInput);
    await pool.pass(600_000);
    expect(pool.view()).toMatchObject({ state: 'offline', substate: 'backingOff', reason: { code: 'start_timeout' } });
    expect(pool.works.map(({ name, state }) => `${name} ${state}`)).toEqual(['proveReadiness abandoned']);
  });

  it('leaves ready after three misses or a wedge, and nothing is ended', async () => {
    const missed = await serving();
    for (let misses = 0; misses < 3; misses += 1) missed.send(failed);
    const wedged = await serving();
    wedged.send({ type: 'health.failed', outcome: 'wedged', cause: because('wedged'), hostSuspected: false });
    for (const pool of [missed, wedged]) {
      expect(pool.where()).toBe('offline.backingOff');
      expect(pool.works.map(({ name }) => name)).toEqual(['proveReadiness']);
    }
  });

  it('takes no harm from what is said of engines, cards and strangers', async () => {
    const pool = await serving();
    pool.send({ type: 'health.failed', outcome: 'foreign', cause: because('port_conflict'), hostSuspected: false });
    expect(pool.where(), 'any answer counts as a miss, no more').toBe('ready.suspect');
    pool.send({ type: 'health.passed', outcome: 'ok', load: load(0) });
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
    pool.send({ type: 'residency.violated', cause: because('residency_violation') });
    pool.send({ type: 'engine.faulted', cause: because('cuda_error') });
    pool.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toBe('ready.healthy');
  });

  it('leaves ready when its file says so, and comes back with a file', async () => {
    const pool = await serving();
    pool.send({ type: 'handoff.appeared', handoff: notReady });
    expect(pool.view()).toMatchObject({ state: 'offline', substate: 'stopped', reason: { code: 'drained' } });
    await pool.pass(3_600_000);
    expect(pool.where()).toBe('offline.stopped');
    pool.send({ type: 'handoff.appeared', handoff: notReady });
    pool.send({ type: 'handoff.appeared', handoff: moved });
    expect(pool.where()).toBe('starting.proving');
    expect(watchedAt(pool)).toMatchObject({ run: { endpoint: moved.endpoint } });
    await prove(pool, { residency: 'unproven' });
    expect(pool.view()).toMatchObject({ state: 'ready', endpoint: moved.endpoint });
    expect(settledFiles(pool)).toEqual(['not_ready', 'not_ready', 'attached']);
  });

  it('follows its engine to another endpoint, or to another engine at the same one, and proves it anew', async () => {
    for (const handoff of [moved, { ...foreignHandoff, pid: 99 }, { ...foreignHandoff, incarnation: 'theirs-2' }]) {
      const served = await serving();
      const proving = drive(attachedInput);
      for (const pool of [served, proving]) {
        pool.send({ type: 'handoff.appeared', handoff });
        expect(pool.where()).toBe('starting.proving');
        expect(watchedAt(pool)).toMatchObject({ run: { endpoint: handoff.endpoint } });
        await prove(pool, { residency: 'unproven' });
        expect(pool.where()).toBe('ready.healthy');
      }
    }
  });

  it('hears the same file twice without leaving ready', async () => {
    const pool = await serving();
    pool.send({ type: 'handoff.appeared', handoff: foreignHandoff });
    expect(pool.where()).toBe('ready.healthy');
    expect(settledFiles(pool)).toEqual(['attached']);
  });

  it('whose file says ready:false while it is proven rests until the next one', async () => {
    const pool = drive(attachedInput);
    pool.send({ type: 'handoff.appeared', handoff: notReady });
    expect(pool.where()).toBe('offline.stopped');
  });

  it('obeys nobody but the node, which takes it off the roster or shuts down', async () => {
    const reach = { proving: async () => drive(attachedInput), ready: serving } as const;
    for (const get of Object.values(reach)) {
      const deaf = await get();
      const where = deaf.where();
      deaf.send({ type: 'pool.start' });
      deaf.send({ type: 'pool.drain', deadlineMs: null });
      deaf.send({ type: 'pool.resume' });
      deaf.send({ type: 'pool.reload', spec, specHash: 'h2', operationId: 'op' });
      expect(deaf.where()).toBe(where);
      const removed = await get();
      removed.send({ type: 'pool.remove' });
      expect(removed.where()).toBe('ended');
      const shut = await get();
      shut.send({ type: 'pool.shutDown' });
      expect(shut.where()).toBe('offline.stopped');
      expect(shut.watching('probeHealth')).toBeNull();
      for (const event of ['pool.start', 'pool.resume'] as const) shut.send({ type: event });
      shut.send({ type: 'pool.drain', deadlineMs: null });
      shut.send({ type: 'pool.reload', spec, specHash: 'h2', operationId: 'op' });
      shut.send({ type: 'handoff.appeared', handoff: foreignHandoff });
      expect(shut.where()).toBe('offline.stopped');
      expect(shut.view().wanted).toBe('up');
    }
  });
});
