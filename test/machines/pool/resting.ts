/** Pools without an engine: how long they wait for what, and what an order does. */
import { describe, expect, it } from 'vitest';
import type { PoolInput } from '../../../src/machines/pool/context.ts';
import type { PoolMemory } from '../../../src/machines/vocabulary.ts';
import type { PoolDriver } from '../../kit/pool-driver.ts';
import { end, toAsking, toLoading, toReady, toSpawning } from '../../kit/pool-steps.ts';
import { because, gpus, handoff, spec } from '../../kit/pool-words.ts';
import { drive, kinds } from './story.ts';

const otherSpec = { type: 'pool.reload', spec: { ...spec, slots: 4 }, specHash: 'h2', operationId: 'op-1' } as const;

const crash = async (pool: PoolDriver, code: 'engine_exited' | 'cuda_error' = 'engine_exited'): Promise<void> => {
  await toLoading(pool);
  pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because(code), tail: [] });
  await end(pool);
};
const delayOf = (pool: PoolDriver): number => pool.context().retry?.delayMs ?? Number.NaN;
const waitOut = (pool: PoolDriver): Promise<void> => pool.pass(delayOf(pool));

const backingOff = async (input: Partial<PoolInput> = {}): Promise<PoolDriver> => {
  const pool = drive(input);
  await crash(pool);
  return pool;
};
const blocked = async (): Promise<PoolDriver> => {
  const pool = drive();
  await toAsking(pool);
  pool.send({ type: 'admission.refused', cause: because('insufficient_vram') });
  return pool;
};
const failed = async (): Promise<PoolDriver> => {
  const pool = drive();
  await pool.open('provisionModel').fail(because('model_missing'));
  return pool;
};
const stopped = async (): Promise<PoolDriver> => {
  const pool = drive();
  pool.send({ type: 'pool.drain', deadlineMs: null });
  return pool;
};
const rests = { backingOff, blocked, failed, stopped };

describe('a wait that the daemon does not live to see the end of', () => {
  const left = async (): Promise<PoolMemory> => {
    const memory = (await backingOff()).memory();
    if (memory?.retry == null) throw new Error('expected a wait to be remembered, found none');
    return { ...memory, retry: { ...memory.retry, delayMs: 400 } };
  };

  it('is remembered with its end and its reason, and forgotten once it is over', async () => {
    const pool = await backingOff();
    const { delayMs } = pool.context().retry ?? { delayMs: Number.NaN };
    expect(pool.memory()?.retry).toEqual({
      delayMs,
      at: pool.now().at + delayMs,
      mono: pool.now().mono + delayMs,
      reason: expect.objectContaining({ code: 'engine_exited' }),
      specHash: pool.context().specHash,
    });
    await waitOut(pool);
    expect(pool.memory()?.retry).toBeNull();
  });

  it('goes on under the next one, for what is left of it, with its reason', async () => {
    const memory = await left();
    const pool = drive({ memory });
    expect(pool.where()).toBe('offline.backingOff');
    expect(pool.view()).toMatchObject({
      restarts: 1,
      reason: { code: 'engine_exited', next_retry_at: new Date(memory.retry?.at ?? 0).toISOString() },
    });
    await pool.pass(399);
    expect(pool.where()).toBe('offline.backingOff');
    await pool.pass(1);
    expect(pool.where()).toContain('provisioning');
  });

  it('waits for the GPUs to be known first', async () => {
    const pool = drive({ memory: await left(), gpus: null });
    expect(pool.where()).toBe('uninitialized.idle');
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toBe('offline.backingOff');
  });

  it('is over where the spec is another one, and where it is ordered to start', async () => {
    expect(drive({ memory: await left(), specHash: 'h2' }).where()).toContain('provisioning');
    const ordered = drive({ memory: await left(), gpus: null });
    ordered.send({ type: 'pool.start' });
    ordered.send({ type: 'gpus.matched', gpus });
    expect(ordered.where()).toContain('provisioning');
  });

  it('is not what a pool that is ordered down waits for', async () => {
    const pool = drive({ memory: { ...(await left()), wanted: 'down' } });
    expect(pool.where()).toBe('uninitialized.idle');
  });
});

describe('an engine that crashes again and again', () => {
  it('is started after 1, 2, 4 … s, each with a quarter of play; the eighth start within ten minutes is the last for five', async () => {
    const pool = drive();
    for (const seconds of [1, 2, 4, 8, 16, 32, 60]) {
      await crash(pool);
      expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited', retryable: true } });
      expect(delayOf(pool)).toBeGreaterThanOrEqual(seconds * 750);
      expect(delayOf(pool)).toBeLessThanOrEqual(seconds * 1_250);
      expect(Date.parse(pool.view().reason?.next_retry_at ?? '')).toBe(pool.now().at + delayOf(pool));
      await pool.pass(delayOf(pool) - 1);
      expect(pool.where()).toBe('offline.backingOff');
      await pool.pass(1);
      expect(pool.where()).toContain('provisioning');
    }
    await crash(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', restarts: 8, reason: { code: 'crash_loop', attempt: 8 } });
    for (const minutes of [5, 10, 20, 40, 60, 60]) {
      expect(delayOf(pool)).toBeGreaterThanOrEqual(minutes * 45_000);
      expect(delayOf(pool)).toBeLessThanOrEqual(minutes * 75_000);
      await waitOut(pool);
      await crash(pool);
      expect(pool.view().reason?.code, 'one start, and it is half open').toBe('crash_loop');
    }
    expect(kinds(pool).filter((kind) => kind === 'pool.backedOff')).toHaveLength(14);
  });

  it('waits twice as long where the driver is to blame', async () => {
    const pool = drive();
    await crash(pool, 'cuda_error');
    expect(delayOf(pool)).toBeGreaterThanOrEqual(1_500);
    expect(delayOf(pool)).toBeLessThanOrEqual(2_500);
  });

  it('whose half-open start holds for a minute is closed, and a later crash waits as long as before the loop', async () => {
    const restart = { count: 8, attempt: 8, startsMono: [], opened: 1 };
    const pool = drive({ memory: { version: 1, poolId: 'pool-0', wanted: 'up', restart, phase: null, proof: null, drain: null, retry: null } });
    await toReady(pool);
    await pool.pass(60_000);
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
    await end(pool);
    expect(pool.view().reason?.code).toBe('engine_exited');
    expect(delayOf(pool)).toBeLessThanOrEqual(75_000);
  });

  it('is started at once by hand, which forgets its failures but not their number', async () => {
    const restart = { count: 8, attempt: 8, startsMono: [], opened: 1 };
    const pool = await backingOff({
      memory: { version: 1, poolId: 'pool-0', wanted: 'up', restart, phase: null, proof: null, drain: null, retry: null },
    });
    expect(pool.view().reason?.code).toBe('crash_loop');
    pool.send({ type: 'pool.start' });
    expect(pool.where()).toContain('provisioning');
    expect(pool.context().restart).toEqual({ count: 9, attempt: 0, startsMono: [], opened: 0 });
  });

  it('whose GPUs are gone when its time has come waits for them', async () => {
    const pool = await backingOff();
    pool.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    expect(pool.where()).toBe('offline.backingOff');
    await waitOut(pool);
    expect(pool.view()).toMatchObject({ substate: 'blocked', reason: { code: 'gpu_lost' } });
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toContain('provisioning');
  });
});

describe('a blocked pool', () => {
  it('whose GPUs go waits for them, whatever else changes', async () => {
    const pool = await blocked();
    pool.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    expect(pool.view().reason?.code).toBe('gpu_lost');
    pool.send({ type: 'resources.changed' });
    await pool.pass(60_000);
    expect(pool.where()).toBe('offline.blocked');
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toContain('provisioning');
  });
});

describe('an order to a pool at rest', () => {
  for (const [rest, reach] of Object.entries(rests)) {
    it(`is obeyed at once: ${rest}`, async () => {
      const orders = [
        [{ type: 'pool.start' }, 'provisioning.(engine.resolving,model.resolving)', 'up'],
        [otherSpec, 'provisioning.(engine.resolving,model.resolving)', 'up'],
        [{ type: 'pool.drain', deadlineMs: null }, 'offline.stopped', 'down'],
        [{ type: 'pool.remove' }, 'ended', 'down'],
        [{ type: 'pool.shutDown' }, 'offline.stopped', rest === 'stopped' ? 'down' : 'up'],
      ] as const;
      for (const [order, where, wanted] of orders) {
        const pool = await reach();
        expect(pool.where()).toBe(`offline.${rest}`);
        pool.send(order);
        expect(pool.where(), order.type).toBe(where);
        expect(pool.view().wanted).toBe(wanted);
        if (where !== 'ended') expect(pool.memory()?.wanted).toBe(wanted);
        expect(pool.context().specHash).toBe(order.type === 'pool.reload' ? 'h2' : 'h1');
        await pool.pass(4_000_000);
        if (where === 'offline.stopped') expect(pool.where(), 'no timer is left').toBe('offline.stopped');
      }
    });
  }

  it('the same spec again is an order to start', async () => {
    const pool = await failed();
    pool.send({ ...otherSpec, spec, specHash: 'h1' });
    expect(pool.where()).toContain('provisioning');
  });

  it('while the node shuts down is kept for the next start', async () => {
    for (const order of [{ type: 'pool.start' }, otherSpec] as const) {
      const pool = await stopped();
      pool.send({ type: 'pool.shutDown' });
      pool.send(order);
      expect(pool.where()).toBe('offline.stopped');
      expect(pool.memory()?.wanted).toBe('up');
    }
  });

  it('and news of GPUs, files and engines is heard without moving it', async () => {
    for (const rest of ['stopped', 'failed'] as const) {
      const pool = await rests[rest]();
      pool.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
      pool.send({ type: 'gpus.matched', gpus });
      pool.send({ type: 'resources.changed' });
      pool.send({ type: 'handoff.appeared', handoff });
      pool.send({ type: 'engine.loadChanged', load: { slotsTotal: 1, slotsFree: 1, inFlight: 0 } });
      expect(pool.where()).toBe(`offline.${rest}`);
      expect(pool.reports.at(-1)).toMatchObject({ type: 'handoff.settled', outcome: 'stale' });
    }
  });
});

it('the last failure stays to be read when the pool is down by order', async () => {
  const pool = drive();
  await toSpawning(pool);
  await pool.open('spawnEngine').fail(because('port_conflict'));
  pool.send({ type: 'pool.drain', deadlineMs: null });
  expect(pool.view()).toMatchObject({ reason: { code: 'operator', next_retry_at: null }, last_error: { code: 'port_conflict' } });
});
