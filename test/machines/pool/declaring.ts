/** What is declared of a pool changes, and nobody orders anything: one that is wanted down takes it up and stays down. */
import { describe, expect, it } from 'vitest';
import type { PoolDriver } from '../../kit/pool-driver.ts';
import { empty, end, spawn, toReady, toSpawning } from '../../kit/pool-steps.ts';
import { because, recordedInput, spec } from '../../kit/pool-words.ts';
import { drive, outcomes } from './story.ts';

const declare = (pool: PoolDriver, hash: string): void =>
  pool.send({ type: 'pool.reload', spec: { ...spec, flags: [hash] }, specHash: hash, operationId: `file-${hash}`, byDeclaration: true });

const drained = async (): Promise<PoolDriver> => {
  const pool = drive();
  await toReady(pool);
  pool.send({ type: 'pool.drain', deadlineMs: null });
  empty(pool);
  await end(pool);
  expect(pool.where()).toBe('offline.stopped');
  return pool;
};

describe('a new declaration of a pool that is down', () => {
  it('is taken up by one that was drained, which stays down until it is started', async () => {
    const pool = await drained();
    declare(pool, 'h2');
    expect(pool.view()).toMatchObject({ substate: 'stopped', wanted: 'down', reason: { code: 'operator' } });
    expect(pool.context()).toMatchObject({ specHash: 'h2', nextSpec: null, reload: null });
    expect(outcomes(pool)).toEqual([]);
    pool.send({ type: 'pool.start' });
    expect(pool.open('provisionEngine').input).toMatchObject({ spec: { flags: ['h2'] } });
  });

  it('is taken up by one that is being drained, also where it is what it has', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send({ type: 'pool.drain', deadlineMs: null });
    declare(pool, 'h2');
    declare(pool, 'h2');
    empty(pool);
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'stopped', wanted: 'down' });
    expect(pool.context()).toMatchObject({ specHash: 'h2' });
  });

  it('is taken up by one that was never to start with the daemon', async () => {
    const pool = drive({ spec: { ...spec, preload: false } });
    declare(pool, 'h2');
    expect(pool.where()).toBe('uninitialized.idle');
    expect(pool.context()).toMatchObject({ specHash: 'h2', wanted: 'down' });
  });

  it('does not bring back one that was drained while its engine was made', async () => {
    const pool = drive();
    await toSpawning(pool);
    pool.send({ type: 'pool.drain', deadlineMs: null });
    declare(pool, 'h1');
    await spawn(pool);
    expect(pool.where()).toBe('draining.stopping');
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'stopped', wanted: 'down' });
  });

  it('does not bring back one that was drained while its engine was identified', async () => {
    const pool = drive(recordedInput('ready'));
    pool.send({ type: 'pool.drain', deadlineMs: null });
    declare(pool, 'h1');
    expect(pool.context().wanted).toBe('down');
  });

  it('goes into force at once where the pool is up', async () => {
    const pool = drive();
    await toReady(pool);
    declare(pool, 'h2');
    empty(pool);
    await end(pool);
    expect(pool.open('provisionEngine').input).toMatchObject({ spec: { flags: ['h2'] } });
  });
});

it('a pool that the pools file comes to declare is of it from then on', async () => {
  const pool = drive({ origin: 'api' });
  await toReady(pool);
  pool.send({ type: 'pool.filed' });
  expect(pool.view()).toMatchObject({ origin: 'file', ready: true });
});

describe('an order whose daemon did not live to see its outcome', () => {
  const ordered = { spec: { ...spec, flags: ['h2'] }, specHash: 'h2', reloading: { operationId: 'declared-h2', previous: { spec, specHash: 'h1' } } };

  it('is tried once more by the next one, and comes about', async () => {
    const pool = drive(ordered);
    await toReady(pool, { specHash: 'h2' });
    expect(outcomes(pool)).toEqual(['declared-h2 reloaded']);
  });

  it('is rolled back where it fails, to what was declared before it', async () => {
    const pool = drive(ordered);
    await pool.open('provisionEngine').fail(because('engine_missing'));
    expect(pool.open('provisionEngine').input).toMatchObject({ spec: { flags: [] } });
    await toReady(pool);
    expect(outcomes(pool)).toEqual(['declared-h2 rolled_back engine_missing']);
  });
});
