/** What a pool's status says of its last error, when that was the end of its engine. */
import { expect, it } from 'vitest';
import { drivePool } from '../kit/pool-driver.ts';
import { end, toReady, toSpawning } from '../kit/pool-steps.ts';
import { because } from '../kit/pool-words.ts';

const exit = { code: null, signal: 'SIGABRT' };

it('has exit and last words of the engine, also once another is up; the next error takes their place', async () => {
  const pool = drivePool(null);
  await toReady(pool);
  expect(pool.view().last_error).toBeNull();
  pool.send({ type: 'engine.exited', exit, cause: because('cuda_error'), tail: ['CUDA error', 'aborted'] });
  const error = { code: 'cuda_error', message: because('cuda_error').message, at: expect.any(String), exit, tail: ['CUDA error', 'aborted'] };
  expect(pool.view().last_error).toEqual(error);
  await end(pool);
  await pool.pass(60_000);
  await toReady(pool);
  expect(pool.view()).toMatchObject({ state: 'ready', reason: null, last_error: error });
  pool.send({ type: 'residency.violated', cause: because('residency_violation') });
  expect(pool.view().last_error).toMatchObject({ code: 'residency_violation', exit: null, tail: [] });
});

it('has neither where no engine ended', async () => {
  const pool = drivePool(null);
  await toSpawning(pool);
  await pool.open('spawnEngine').fail(because('port_conflict'));
  expect(pool.view().last_error).toMatchObject({ code: 'port_conflict', exit: null, tail: [] });
});
