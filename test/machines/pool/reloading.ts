/** A new spec in place of the old one, and the old one again where the new one does not become ready. */
import { describe, expect, it } from 'vitest';
import type { PoolDriver } from '../../kit/pool-driver.ts';
import { empty, end, toAsking, toLoading, toProving, toReady, toSpawning } from '../../kit/pool-steps.ts';
import { because, spec } from '../../kit/pool-words.ts';
import { drive, outcomes } from './story.ts';

const reload = (hash: string, operationId = `to-${hash}`) =>
  ({ type: 'pool.reload', spec: { ...spec, flags: [hash] }, specHash: hash, operationId }) as const;

/** Old engine gone; the new spec is being provisioned. */
const swapping = async (): Promise<PoolDriver> => {
  const pool = drive();
  await toReady(pool);
  pool.send(reload('h2'));
  empty(pool);
  await end(pool);
  expect(pool.where()).toContain('provisioning');
  expect(pool.context()).toMatchObject({ specHash: 'h2', nextSpec: null });
  return pool;
};

describe('a reload', () => {
  it('drains the old engine, starts the new one and says so when it is ready', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send(reload('h2'));
    expect(pool.view()).toMatchObject({ state: 'draining', substate: 'emptying.announcing', wanted: 'up', reason: { code: 'superseded' } });
    expect(pool.memory()).toMatchObject({ wanted: 'up', phase: 'emptying', drain: { why: 'reload' } });
    empty(pool, 1);
    expect(pool.where()).toBe('draining.emptying.waiting');
    empty(pool);
    await end(pool);
    expect(pool.open('provisionEngine').input).toMatchObject({ spec: { flags: ['h2'] } });
    await toReady(pool, { incarnation: 'inc-2', specHash: 'h2' });
    expect(outcomes(pool)).toEqual(['to-h2 reloaded']);
    expect(pool.view()).toMatchObject({ state: 'ready', incarnation: 'inc-2', restarts: 0, reason: null });
    expect(pool.context().reload).toBeNull();
  });

  it('with the same spec, of a pool that serves, does nothing', async () => {
    const pool = drive();
    await toReady(pool);
    const before = pool.context();
    pool.send({ type: 'pool.reload', spec, specHash: 'h1', operationId: 'same' });
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.context()).toEqual(before);
  });

  it('is given up by resuming while the old engine empties: that one goes on', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send(reload('h2'));
    empty(pool, 1);
    pool.send({ type: 'pool.resume' });
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.context()).toMatchObject({ specHash: 'h1', nextSpec: null, reload: null });
    expect(outcomes(pool)).toEqual(['to-h2 rolled_back operator']);
  });

  it('taken up while the pool drains by order is no more when that is resumed', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send({ type: 'pool.drain', deadlineMs: null });
    pool.send(reload('h2'));
    pool.send({ type: 'pool.resume' });
    expect(pool.where()).toBe('ready.healthy');
    expect(outcomes(pool)).toEqual(['to-h2 rolled_back operator']);
  });
});

describe('a new spec that does not become ready', () => {
  const failures: Readonly<Record<string, (pool: PoolDriver) => Promise<unknown>>> = {
    'has no engine': (pool) => pool.open('provisionEngine').fail(because('engine_missing')),
    'cannot be fetched now': (pool) => pool.open('provisionModel').fail(because('download_unreachable')),
    'does not fit': async (pool) => {
      await toAsking(pool);
      pool.send({ type: 'admission.refused', cause: because('insufficient_vram') });
    },
    'has no cards': async (pool) => pool.send({ type: 'gpus.unmatched', cause: because('gpu_missing') }),
    'cannot be spawned': async (pool) => {
      await toSpawning(pool);
      await pool.open('spawnEngine').fail(because('port_conflict'));
    },
    crashes: async (pool) => {
      await toLoading(pool);
      pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('model_incompatible'), tail: [] });
      await end(pool);
    },
    'ends with code 0': async (pool) => {
      await toLoading(pool);
      pool.send({ type: 'engine.exited', exit: { code: 0, signal: null }, cause: because('engine_completed'), tail: [] });
      await end(pool);
    },
    'is refuted': async (pool) => {
      await toProving(pool);
      await pool.open('proveReadiness').fail(because('residency_violation'));
      await end(pool);
    },
  };

  for (const [how, fail] of Object.entries(failures)) {
    it(`${how}: the old one runs again`, async () => {
      const pool = await swapping();
      await fail(pool);
      expect(pool.where(), 'at once, without a delay').toContain('provisioning');
      expect(pool.open('provisionEngine').input).toMatchObject({ spec: { flags: [] } });
      expect(pool.context()).toMatchObject({ specHash: 'h1', spec: { flags: [] } });
      await toReady(pool);
      expect(pool.where()).toBe('ready.healthy');
      expect(outcomes(pool)).toHaveLength(1);
      expect(outcomes(pool)[0]).toMatch(/^to-h2 rolled_back \w+$/);
    });
  }

  it('whose old spec does not come back either is tried again by the policy of restarts, as the old one', async () => {
    const pool = await swapping();
    await pool.open('provisionEngine').fail(because('engine_missing'));
    await toLoading(pool);
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
    expect(outcomes(pool)).toEqual([]);
    await pool.pass(2_000);
    await toReady(pool);
    expect(pool.context().specHash).toBe('h1');
    expect(outcomes(pool)).toEqual(['to-h2 rolled_back engine_missing']);
  });

  it('whose old spec fails for good is given up', async () => {
    const pool = await swapping();
    await pool.open('provisionEngine').fail(because('engine_missing'));
    await pool.open('provisionModel').fail(because('model_missing'));
    expect(pool.where()).toBe('offline.failed');
    expect(outcomes(pool)).toEqual(['to-h2 given_up engine_missing']);
  });

  it('and replaced nothing that ran has nothing to go back to', async () => {
    const pool = drive();
    await pool.open('provisionModel').fail(because('model_missing'));
    pool.send(reload('h2'));
    await pool.open('provisionModel').fail(because('model_missing'));
    expect(pool.where()).toBe('offline.failed');
    expect(pool.context().specHash).toBe('h2');
    expect(outcomes(pool)).toEqual(['to-h2 given_up model_missing']);
  });

  it('waits, where the old engine did not give its VRAM back, for that', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send(reload('h2'));
    empty(pool);
    await pool.open('stopEngine').answer({ survivors: [], killed: true, exit: null });
    await pool.open('awaitRelease').answer({ released: false, heldBytes: 1 });
    expect(pool.view()).toMatchObject({ substate: 'blocked', reason: { code: 'vram_not_released' } });
    await pool.pass(30_000);
    await toReady(pool);
    expect(outcomes(pool)).toEqual(['to-h2 reloaded']);
  });
});

describe('orders while a new spec is being tried', () => {
  it('another spec takes its place and still goes back to the one that ran', async () => {
    const pool = await swapping();
    await toLoading(pool);
    pool.send(reload('h3'));
    expect(outcomes(pool)).toEqual(['to-h2 given_up superseded']);
    await end(pool);
    expect(pool.context()).toMatchObject({ specHash: 'h3', reload: { operationId: 'to-h3', previous: { specHash: 'h1' } } });
    await pool.open('provisionEngine').fail(because('engine_missing'));
    expect(pool.context().specHash).toBe('h1');
    await toReady(pool);
    expect(outcomes(pool).at(-1)).toBe('to-h3 rolled_back engine_missing');
  });

  it('a drain ends it, and later the new spec is what is started', async () => {
    const pool = await swapping();
    pool.send({ type: 'pool.drain', deadlineMs: null });
    expect(pool.where()).toBe('offline.stopped');
    expect(outcomes(pool)).toEqual(['to-h2 given_up operator']);
    pool.send({ type: 'pool.start' });
    expect(pool.context().specHash).toBe('h2');
  });

  it('a removal ends pool and reload', async () => {
    const pool = await swapping();
    pool.send({ type: 'pool.remove' });
    expect(pool.where()).toBe('ended');
    expect(outcomes(pool)).toEqual(['to-h2 given_up removed']);
  });

  it('another spec for a pool that rests between two tries is taken, for it may be the remedy', async () => {
    const pool = drive();
    pool.send(reload('h2'));
    await pool.open('provisionModel').fail(because('download_unreachable'));
    expect(pool.where()).toBe('offline.backingOff');
    pool.send(reload('h3'));
    await toReady(pool);
    expect(outcomes(pool)).toEqual(['to-h2 given_up superseded', 'to-h3 reloaded']);
  });
});

it('a reload of other devices is admitted to those', async () => {
  const pool = drive();
  await toReady(pool);
  pool.send({ type: 'pool.reload', spec: { ...spec, devices: [1] }, specHash: 'h2', operationId: 'op' });
  empty(pool);
  await end(pool);
  await toAsking(pool);
  expect(pool.reports.at(-1)).toMatchObject({ type: 'admission.requested', devices: [1] });
  pool.send({ type: 'admission.granted', gpus: [{ index: 1, uuid: 'GPU-2' }], reservedBytes: null });
  expect(pool.view().gpus).toEqual([{ index: 1, uuid: 'GPU-2' }]);
});

describe('an engine that rises beside the one that serves', () => {
  const rise = (): PoolDriver => drive({ poolId: 'pool-0--b', specHash: 'h2', beside: { operationId: 'to-h2' } });
  const record = { poolId: 'pool-0--b', incarnation: 'inc-2', specHash: 'h2' };

  it('is the pool once it is ready, and restarts as any other from then on', async () => {
    const pool = rise();
    await toReady(pool, record);
    expect(pool.view()).toMatchObject({ pool_id: 'pool-0', state: 'ready' });
    expect(outcomes(pool)).toEqual(['to-h2 reloaded']);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'reload.settled', poolId: 'pool-0--b', stamp: { mono: expect.any(Number) } });
    pool.send({ type: 'pool.succeeded', restarts: 3 });
    expect(pool.memory()).toMatchObject({ restart: { count: 3 } });
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', state: 'ready', restarts: 3 });
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
    await end(pool);
    expect(pool.where()).toBe('offline.backingOff');
    expect(pool.view().restarts).toBe(4);
  });

  it('takes over the count of restarts also where its engine ended meanwhile', async () => {
    const pool = rise();
    await toReady(pool, record);
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
    pool.send({ type: 'pool.succeeded', restarts: 3 });
    await end(pool);
    expect(pool.reports.findLast(({ type }) => type === 'pool.changed')).toMatchObject({ state: 'offline', restarts: 4 });
  });

  it.each([
    ['cannot be provisioned', async (pool: PoolDriver) => pool.open('provisionModel').fail(because('download_unreachable')), 'download_unreachable'],
    [
      'does not fit',
      async (pool: PoolDriver) => {
        await toAsking(pool);
        pool.send({ type: 'admission.refused', cause: because('insufficient_vram') });
      },
      'insufficient_vram',
    ],
    [
      'crashes',
      async (pool: PoolDriver) => {
        await toLoading(pool, record);
        pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('model_incompatible'), tail: [] });
        await end(pool);
      },
      'model_incompatible',
    ],
    [
      'is not wanted any more',
      async (pool: PoolDriver) => {
        await toLoading(pool, record);
        pool.send({ type: 'pool.remove', cause: because('superseded') });
        await end(pool);
      },
      'superseded',
    ],
    ['goes with the node', async (pool: PoolDriver) => pool.send({ type: 'pool.shutDown' }), 'operator'],
  ] as const)('and %s tries nothing again: it says why and ends', async (_, fail, code) => {
    const pool = rise();
    await fail(pool);
    expect(pool.where()).toBe('ended');
    expect(outcomes(pool)).toEqual([`to-h2 given_up ${code}`]);
    expect(pool.reports.at(-1)).toEqual({ type: 'pool.ended', poolId: 'pool-0--b' });
  });
});

describe('a reload that came to nothing beside the engine that serves', () => {
  it('is an event and the last error of the pool, and changes nothing of the engine', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send({ type: 'reload.concluded', operationId: 'to-h2', outcome: 'rolled_back', cause: because('model_missing') });
    expect(pool.view()).toMatchObject({ state: 'ready', reason: null, last_error: { code: 'model_missing' } });
    expect(pool.outcomes.splice(0)).toEqual(['rolled_back']);
    pool.send({ type: 'reload.concluded', operationId: 'to-h3', outcome: 'given_up', cause: because('operator') });
    expect(pool.view().last_error?.code).toBe('model_missing');
    expect(pool.outcomes.splice(0)).toEqual(['given_up']);
  });
});
