/** Engines that an earlier daemon left running: identified, and taken up where they were. */
import { describe, expect, it } from 'vitest';
import type { PoolInput } from '../../../src/machines/pool/context.ts';
import type { BareEvent, PoolDriver } from '../../kit/pool-driver.ts';
import { answer, empty, end, handOff, prove } from '../../kit/pool-steps.ts';
import { because, load, proof, recordedInput, run, spec } from '../../kit/pool-words.ts';
import { drive, kinds, outcomes } from './story.ts';

const otherSpec = { type: 'pool.reload', spec: { ...spec, slots: 4 }, specHash: 'h2', operationId: 'op-1' } as const;
const ours = { verdict: 'ours', cause: null } as const;

const adopted = async (input: Partial<PoolInput>, ...meanwhile: readonly BareEvent[]): Promise<PoolDriver> => {
  const pool = drive(input);
  expect(pool.where()).toBe('starting.adopting.identifying');
  expect(pool.view(), 'nobody knows yet whose process it is').toMatchObject({ live: false, endpoint: null });
  for (const event of meanwhile) pool.send(event);
  expect(pool.where()).toBe('starting.adopting.identifying');
  await pool.open('adoptEngine').answer(ours);
  expect(kinds(pool)).toContain('adoption.settled');
  return pool;
};

describe('an engine that is ours goes on where it was', () => {
  it('ready: proven by its record, its listener and its progress, with its restarts counted as before', async () => {
    const pool = await adopted(recordedInput('ready'));
    expect(pool.where()).toBe('starting.proving');
    expect(pool.open('proveReadiness').input).toMatchObject({ mode: 'adopted', proof: { residency: 'proven' } });
    await prove(pool);
    expect(pool.view()).toMatchObject({ state: 'ready', incarnation: 'inc-1', restarts: 4, residency: 'proven' });
    expect(pool.works.map(({ name }) => name)).toEqual(['adoptEngine', 'proveReadiness']);
  });

  it('proving, or ready without a proof on record: all is proven anew', async () => {
    for (const input of [recordedInput('proving'), recordedInput('ready', { proof: null })]) {
      const pool = await adopted(input);
      expect(pool.open('proveReadiness').input).toMatchObject({ mode: 'managed', proof: null });
    }
  });

  it('loading, or of no known phase: it has what is left of its time, and never less than a stall may last', async () => {
    for (const phase of ['loading', null] as const) {
      const pool = await adopted({ ...recordedInput(phase), run: { ...run, startedMono: 1_000_000 - 700_000 } });
      expect(pool.where()).toBe('starting.loading.answering');
      await pool.pass(299_999);
      expect(pool.where()).toBe('starting.loading.answering');
      answer(pool);
      handOff(pool);
      expect(pool.where()).toBe('starting.proving');
    }
    const late = await adopted({ ...recordedInput('loading'), run: { ...run, startedMono: 0 } });
    await late.pass(300_000);
    expect(late.view().reason?.code).toBe('start_timeout');
  });

  it('draining: with what is left of its deadline, and no second order', async () => {
    const drain = { why: 'operator', deadlineMono: 1_007_000, bootId: 'boot' } as const;
    const pool = await adopted(recordedInput('emptying', { wanted: 'down', drain }));
    expect(pool.where()).toBe('draining.emptying.announcing');
    expect(pool.memory()).toMatchObject({ wanted: 'down', phase: 'emptying', drain: { why: 'operator', deadlineMono: 1_007_000 } });
    await pool.pass(6_999);
    expect(pool.where()).toBe('draining.emptying.waiting');
    await pool.pass(1);
    expect(pool.context().drain).toMatchObject({ forced: true });
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'stopped', reason: { code: 'operator' } });
  });

  it('draining: it may be resumed like any other, and may have been for too long', async () => {
    const drain = { why: 'operator', deadlineMono: 999_000, bootId: 'boot' } as const;
    const resumed = await adopted(recordedInput('emptying', { wanted: 'down', drain: { ...drain, deadlineMono: null } }));
    resumed.send({ type: 'pool.resume' });
    expect(resumed.view()).toMatchObject({ state: 'ready', wanted: 'up', residency: 'proven' });
    const over = await adopted(recordedInput('emptying', { wanted: 'down', drain }));
    await over.pass(0);
    expect(over.where()).toBe('draining.stopping');
    const unknown = await adopted(recordedInput('emptying', { wanted: 'down', proof: null }));
    unknown.send({ type: 'pool.resume' });
    expect(unknown.where(), 'nothing was ever proven of it').toBe('draining.emptying.announcing');
  });

  it('draining for its health: it may still recover', async () => {
    const drain = { why: 'health', deadlineMono: 1_000_001, bootId: 'boot' } as const;
    const pool = await adopted(recordedInput('emptying', { drain }));
    expect(pool.where()).toBe('draining.emptying.recovering');
    answer(pool);
    answer(pool);
    expect(pool.where()).toBe('ready.healthy');
    const ordered = await adopted(recordedInput('emptying', { drain }), { type: 'pool.shutDown' });
    expect(ordered.where()).toBe('draining.emptying.announcing');
  });

  it('draining for its health: with what is left of its grace, and time to be asked', async () => {
    const drainUntil = (deadlineMono: number) => ({ drain: { why: 'health', deadlineMono, bootId: 'boot' } as const });
    for (const [leftMs, hasMs] of [
      [9_000, 9_000],
      [1, 3_000],
      [-60_000, 3_000],
    ] as const) {
      const pool = await adopted(recordedInput('emptying', drainUntil(1_000_000 + leftMs)));
      await pool.pass(hasMs - 1);
      expect(pool.where()).toBe('draining.emptying.recovering');
      await pool.pass(1);
      expect(pool.where()).toBe('draining.stopping');
    }
  });

  it('ready, and drained meanwhile: with the deadline that was ordered', async () => {
    const pool = await adopted(recordedInput('ready'), { type: 'pool.drain', deadlineMs: 5_000 });
    expect(pool.where()).toBe('draining.emptying.announcing');
    await pool.pass(4_999);
    expect(pool.where()).toMatch(/^draining.emptying/);
    await pool.pass(1);
    expect(pool.where()).toBe('draining.stopping');
  });

  it('draining, and drained meanwhile: with what ends sooner, and never for longer than was ordered', async () => {
    for (const [why, leftMs, deadlineMs, told] of [
      ['operator', 600_000, 5_000, { why: 'operator', deadlineMs: 5_000 }],
      ['operator', 4_000, 5_000, { why: 'operator', deadlineMs: 4_000 }],
      ['reload', 600_000, 5_000, { why: 'operator', deadlineMs: 5_000 }],
    ] as const) {
      const drain = { why, deadlineMono: 1_000_000 + leftMs, bootId: 'boot' };
      const pool = await adopted(recordedInput('emptying', { drain }), { type: 'pool.drain', deadlineMs });
      expect(pool.context().drain).toMatchObject(told);
      await pool.pass(told.deadlineMs);
      expect(pool.where()).toBe('draining.stopping');
    }
  });

  it('draining for its health: an order has its own deadline, not what is left of the grace', async () => {
    const drain = { why: 'health', deadlineMono: 1_030_000, bootId: 'boot' } as const;
    for (const [input, why] of [
      [{ ...recordedInput('emptying', { drain }), orphaned: true }, 'remove'],
      [recordedInput('emptying', { drain, wanted: 'down' }), 'operator'],
    ] as const) {
      const pool = await adopted({ ...input, spec: { ...spec, timeouts: { ...spec.timeouts, drain_ms: 1_500 } } });
      expect(pool.where()).toBe('draining.emptying.announcing');
      expect(pool.memory()?.drain).toMatchObject({ why, deadlineMono: pool.now().mono + 1_500 });
      await pool.pass(1_500);
      expect(pool.where()).toBe('draining.stopping');
    }
    const lost = await adopted({ ...recordedInput('emptying', { drain }), gpus: null, gpuCause: because('gpu_lost') });
    expect(lost.where(), 'its cards have gone').toBe('draining.stopping');
  });

  it('stopping: it is ended', async () => {
    const drain = { why: 'operator', deadlineMono: 900_000, bootId: 'boot' } as const;
    const pool = await adopted(recordedInput('stopping', { wanted: 'down', drain }));
    expect(pool.where()).toBe('draining.stopping');
    await end(pool);
    expect(pool.where()).toBe('offline.stopped');
  });
});

describe('an adopted engine that misses its proof', () => {
  it('by its health has the grace of one that misses probes: it may be at work', async () => {
    const pool = await adopted(recordedInput('ready'));
    await pool.open('proveReadiness').fail(because('health_failed'));
    expect(pool.where()).toBe('draining.emptying.recovering');
    answer(pool);
    answer(pool);
    expect(pool.where()).toBe('ready.healthy');
  });

  it('by a stranger behind its port has not', async () => {
    const pool = await adopted(recordedInput('ready'));
    await pool.open('proveReadiness').fail(because('port_conflict'));
    expect(pool.where()).toBe('draining.stopping');
  });
});

describe('a recorded process', () => {
  it('that is gone has its remains ended, and is a failure like any other', async () => {
    for (const cause of [null, because('oom_killed')]) {
      const pool = drive(recordedInput('ready'));
      await pool.open('adoptEngine').answer({ verdict: 'gone', cause });
      expect(pool.where()).toBe('draining.stopping');
      await end(pool);
      expect(pool.view()).toMatchObject({ substate: 'backingOff', restarts: 5, reason: { code: cause?.code ?? 'engine_exited' } });
    }
  });

  it('that is gone while the pool was to be down leaves it down', async () => {
    const pool = drive(recordedInput('emptying', { wanted: 'down' }));
    await pool.open('adoptEngine').answer({ verdict: 'gone', cause: null });
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'stopped', reason: { code: 'operator' }, last_error: { code: 'engine_exited' } });
  });

  it('that is somebody else’s gets no signal: only its record is dropped', async () => {
    for (const cause of [null, because('identity_mismatch')]) {
      const pool = drive(recordedInput('ready'));
      await pool.open('adoptEngine').answer({ verdict: 'stranger', cause });
      expect(pool.where()).toBe('starting.adopting.dropping');
      pool.send({ type: 'pool.start' });
      await pool.open('dropRecord').answer({});
      expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'identity_mismatch' }, incarnation: null });
      expect(pool.works.map(({ name }) => name)).toEqual(['adoptEngine', 'dropRecord']);
    }
  });

  it('of which nothing can be told is not touched either', async () => {
    const pool = drive(recordedInput('ready'));
    await pool.open('adoptEngine').break('no /proc');
    await pool.open('dropRecord').fail(because('state_store_failed'));
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'state_store_failed' } });
    expect(pool.path.some((where) => where.startsWith('draining'))).toBe(false);
  });

  it('is not ended for what is said of it before it is known', async () => {
    const pool = await adopted(
      recordedInput('ready'),
      { type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] },
      { type: 'health.failed', outcome: 'foreign', cause: because('port_conflict'), hostSuspected: false },
      { type: 'residency.violated', cause: because('residency_violation') },
      { type: 'engine.loadChanged', load: load(1) },
    );
    expect(pool.where()).toBe('starting.proving');
  });
});

describe('an order while it is identified', () => {
  const orders = [
    [[{ type: 'pool.drain', deadlineMs: null }], 'operator', 'offline.stopped'],
    [[{ type: 'pool.remove' }], 'remove', 'ended'],
    [[{ type: 'pool.shutDown' }], 'shutdown', 'offline.stopped'],
    [[otherSpec], 'reload', 'provisioning.(engine.resolving,model.resolving)'],
  ] as const;

  it('empties one that served, then ends it', async () => {
    for (const [meanwhile, why, where] of orders) {
      const pool = await adopted(recordedInput('ready'), ...meanwhile);
      expect(pool.where()).toBe('draining.emptying.announcing');
      expect(pool.context().drain).toMatchObject({ why, deadlineMs: 60_000 });
      empty(pool);
      await end(pool);
      expect(pool.where(), why).toBe(where);
    }
  });

  it('ends one that never served', async () => {
    for (const [meanwhile, why, where] of orders) {
      const pool = await adopted(recordedInput('loading'), ...meanwhile);
      expect(pool.where()).toBe('draining.stopping');
      expect(pool.context().drain?.why).toBe(why);
      await end(pool);
      expect(pool.where(), why).toBe(where);
    }
  });

  it('is written down without losing what was recorded', async () => {
    const drain = { why: 'reload', deadlineMono: 1_007_000, bootId: 'boot' } as const;
    const pool = drive(recordedInput('emptying', { drain }));
    pool.send({ type: 'pool.drain', deadlineMs: null });
    expect(pool.memory()).toMatchObject({ wanted: 'down', phase: 'emptying', proof, drain });
    pool.send({ type: 'pool.start' });
    expect(pool.memory()).toMatchObject({ wanted: 'up', phase: 'emptying', proof, drain });
  });

  it('that is taken back, or is the spec it has, changes nothing', async () => {
    const pool = await adopted(recordedInput('ready'), { type: 'pool.drain', deadlineMs: null }, { ...otherSpec, spec, specHash: 'h1' });
    expect(pool.where()).toBe('starting.proving');
    expect(outcomes(pool)).toEqual([]);
  });

  it('another spec has the adopted one to go back to', async () => {
    const pool = await adopted(recordedInput('ready'), otherSpec);
    empty(pool);
    await end(pool);
    await pool.open('provisionModel').fail(because('model_missing'));
    expect(pool.context().specHash).toBe('h1');
  });
});

describe('an adopted engine', () => {
  it('whose GPUs are gone is ended at once', async () => {
    const told = await adopted(recordedInput('ready'), { type: 'gpus.unmatched', cause: because('gpu_lost') });
    const born = await adopted({ ...recordedInput('ready'), gpuCause: because('gpu_lost') });
    for (const pool of [told, born]) {
      expect(pool.where()).toBe('draining.stopping');
      expect(pool.context().drain?.why).toBe('gpu');
      await end(pool);
      expect(pool.view()).toMatchObject({ substate: 'blocked', reason: { code: 'gpu_lost' } });
    }
  });

  it('that nothing declares any more is drained and its pool ended', async () => {
    const pool = await adopted({ ...recordedInput('ready'), orphaned: true });
    expect(pool.where()).toBe('draining.emptying.announcing');
    expect(pool.view()).toMatchObject({ wanted: 'down', reason: { code: 'removed' } });
    empty(pool);
    await end(pool);
    expect(pool.where()).toBe('ended');
  });
});
