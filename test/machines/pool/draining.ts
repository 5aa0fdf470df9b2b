/** On the way down: emptying, stopping, stuck, releasing, and what is ordered meanwhile. */
import { describe, expect, it } from 'vitest';
import type { BareEvent, PoolDriver } from '../../kit/pool-driver.ts';
import { empty, end, toReady } from '../../kit/pool-steps.ts';
import { because, gpus, handoff, load, spec } from '../../kit/pool-words.ts';
import { drive, kinds, outcomes, settledFiles } from './story.ts';

const otherSpec = { type: 'pool.reload', spec: { ...spec, slots: 4 }, specHash: 'h2', operationId: 'op-1' } as const;
const drainOrder = { type: 'pool.drain', deadlineMs: 20_000 } as const;
const exited = { type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] } as const;

const given = async (...events: readonly BareEvent[]): Promise<PoolDriver> => {
  const pool = drive();
  await toReady(pool);
  for (const event of events) pool.send(event);
  return pool;
};
const sick = async (...events: readonly BareEvent[]): Promise<PoolDriver> => {
  const failed = { type: 'health.failed', outcome: 'timeout', cause: because('health_failed'), hostSuspected: false } as const;
  const pool = await given(failed, failed, failed);
  expect(pool.where()).toBe('draining.emptying.recovering');
  for (const event of events) pool.send(event);
  return pool;
};
const stopping = async (...events: readonly BareEvent[]): Promise<PoolDriver> => given(exited, ...events);

describe('a drain', () => {
  it('tells the control plane, lets the work finish, ends the engine, awaits its VRAM and stays down', async () => {
    const pool = await given(drainOrder);
    expect(pool.where()).toBe('draining.emptying.announcing');
    expect(pool.reports.at(-1)).toEqual({ type: 'drain.announced', poolId: 'pool-0' });
    expect(pool.memory()).toMatchObject({
      wanted: 'down',
      phase: 'emptying',
      proof: { residency: 'proven' },
      drain: { why: 'operator', bootId: 'boot' },
    });
    expect(pool.memory()?.drain?.deadlineMono).toBe(1_020_000);
    expect(pool.view().drain_deadline_at).toBe(new Date(pool.now().at + 20_000).toISOString());
    pool.send({ type: 'engine.loadChanged', load: load(0) });
    expect(pool.where(), 'work may come until the control plane knows').toBe('draining.emptying.announcing');
    pool.send({ type: 'drain.acknowledged' });
    expect(pool.view()).toMatchObject({ substate: 'emptying.waiting', active_leases: null });
    pool.send({ type: 'engine.loadChanged', load: load(2) });
    expect(pool.view()).toMatchObject({ state: 'draining', draining: true, ready: false, active_leases: 2 });
    pool.send({ type: 'engine.loadChanged', load: load(null) });
    expect(pool.where(), 'unknown is not empty').toBe('draining.emptying.waiting');
    pool.send({ type: 'engine.loadChanged', load: load(0) });
    expect(pool.where()).toBe('draining.stopping');
    await pool.open('stopEngine').answer({ survivors: [], killed: false, exit: { code: 0, signal: null } });
    expect(pool.where()).toBe('draining.releasing');
    expect(pool.view(), 'there is no engine any more').toMatchObject({ live: false, endpoint: null });
    await pool.open('awaitRelease').answer({ released: true, heldBytes: 0 });
    expect(pool.view()).toMatchObject({ state: 'offline', substate: 'stopped', wanted: 'down', reason: { code: 'operator', retryable: false } });
    expect(pool.memory()).toMatchObject({ wanted: 'down', phase: null, proof: null, drain: null, retry: null });
    expect(pool.context().drain).toBeNull();
    await pool.pass(3_600_000);
    expect(pool.where()).toBe('offline.stopped');
  });

  it('waits two seconds at most for the control plane', async () => {
    const pool = await given(drainOrder);
    await pool.pass(1_999);
    expect(pool.where()).toBe('draining.emptying.announcing');
    await pool.pass(1);
    expect(pool.where()).toBe('draining.emptying.waiting');
  });

  it('is forced at its deadline, and that is counted', async () => {
    const pool = await given(drainOrder);
    empty(pool, 1);
    await pool.pass(19_999);
    expect(pool.where()).toBe('draining.emptying.waiting');
    await pool.pass(1);
    expect(pool.where()).toBe('draining.stopping');
    expect(pool.context().drain).toMatchObject({ why: 'operator', forced: true });
  });

  it('without a deadline has the one of its spec', async () => {
    const pool = await given({ type: 'pool.drain', deadlineMs: null });
    await pool.pass(59_999);
    expect(pool.where()).toBe('draining.emptying.waiting');
    await pool.pass(1);
    expect(pool.where()).toBe('draining.stopping');
  });

  it('ordered again changes nothing, but a sooner deadline is taken', async () => {
    const pool = await given(drainOrder);
    await pool.pass(5_000);
    pool.send(drainOrder);
    expect(pool.context().drain).toMatchObject({ startedMono: 1_000_000, deadlineMs: 20_000 });
    expect(pool.where()).toBe('draining.emptying.waiting');
    pool.send({ type: 'pool.drain', deadlineMs: 1_000 });
    expect(pool.context().drain).toMatchObject({ startedMono: 1_005_000, deadlineMs: 1_000 });
    await pool.pass(1_000);
    expect(pool.where()).toBe('draining.stopping');
  });

  it('can be taken back while it empties, and then the pool serves as before', async () => {
    for (const acknowledged of [false, true]) {
      const pool = await given(drainOrder);
      if (acknowledged) empty(pool, 1);
      pool.send({ type: 'pool.resume' });
      expect(pool.where()).toBe('ready.healthy');
      expect(pool.view()).toMatchObject({ wanted: 'up', residency: 'proven', reason: null });
      expect(pool.memory()).toMatchObject({ wanted: 'up', phase: 'ready', drain: null });
      await pool.pass(60_000);
      expect(pool.where()).toBe('ready.healthy');
    }
  });

  it('can be taken back no more once the engine is being ended', async () => {
    const pool = await given(drainOrder);
    empty(pool);
    pool.send({ type: 'pool.resume' });
    expect(pool.where()).toBe('draining.stopping');
    expect(pool.view().wanted).toBe('down');
  });
});

describe('an engine lost while it empties', () => {
  it('is an error; the order stays the reason', async () => {
    const cases = [
      [exited, 'engine_exited'],
      [{ type: 'engine.faulted', cause: because('cuda_error') }, 'cuda_error'],
      [{ type: 'residency.violated', cause: because('residency_violation') }, 'residency_violation'],
      [{ type: 'gpus.unmatched', cause: because('gpu_lost') }, 'gpu_lost'],
    ] as const;
    for (const [event, code] of cases) {
      const pool = await given(drainOrder, event);
      expect(pool.where()).toBe('draining.stopping');
      await end(pool);
      expect(pool.view()).toMatchObject({ substate: 'stopped', restarts: 0, reason: { code: 'operator' }, last_error: { code } });
    }
  });

  it('is the reason where nobody ordered it down', async () => {
    const pool = await sick(exited);
    expect(pool.where()).toBe('draining.stopping');
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
  });
});

describe('orders to a pool that drains for its health', () => {
  it('end its chance to recover', async () => {
    const cases = [
      [drainOrder, 'operator', 'offline.stopped'],
      [{ type: 'pool.remove' }, 'remove', 'ended'],
      [{ type: 'pool.shutDown' }, 'shutdown', 'offline.stopped'],
      [otherSpec, 'reload', 'provisioning.(engine.resolving,model.resolving)'],
    ] as const;
    for (const [order, why, where] of cases) {
      const pool = await sick(order);
      expect(pool.where(), order.type).toBe('draining.emptying.announcing');
      expect(pool.context().drain?.why).toBe(why);
      for (let passes = 0; passes < 3; passes += 1) pool.send({ type: 'health.passed', outcome: 'ok', load: load(0) });
      expect(pool.where()).toBe('draining.emptying.announcing');
      empty(pool);
      await end(pool);
      expect(pool.where(), order.type).toBe(where);
    }
  });

  it('to resume changes nothing: it comes back by itself or not at all', async () => {
    const pool = await sick({ type: 'pool.resume' });
    expect(pool.where()).toBe('draining.emptying.recovering');
  });

  it('to start takes effect when its engine is gone', async () => {
    const pool = await sick({ type: 'pool.start' });
    await pool.pass(30_000);
    await end(pool);
    expect(pool.where()).toContain('provisioning');
  });
});

describe('orders to a pool that is being ended', () => {
  it('are kept at once and take effect when no engine is left', async () => {
    const again = 'provisioning.(engine.resolving,model.resolving)';
    const cases = [
      [[{ type: 'pool.drain', deadlineMs: null }], 'offline.stopped', 'down'],
      [[{ type: 'pool.start' }], again, 'up'],
      [[{ type: 'pool.drain', deadlineMs: null }, { type: 'pool.start' }], again, 'up'],
      [[{ type: 'pool.start' }, { type: 'pool.drain', deadlineMs: null }], 'offline.stopped', 'down'],
      [[otherSpec], again, 'up'],
      [[{ type: 'pool.drain', deadlineMs: null }, otherSpec], again, 'up'],
      [
        [
          { type: 'pool.drain', deadlineMs: null },
          { ...otherSpec, spec, specHash: 'h1' },
        ],
        again,
        'up',
      ],
      [[otherSpec, { type: 'pool.start' }], again, 'up'],
      [[otherSpec, { type: 'pool.drain', deadlineMs: null }], 'offline.stopped', 'down'],
      [[{ type: 'pool.remove' }], 'ended', 'down'],
      [[{ type: 'pool.remove' }, { type: 'pool.start' }], 'ended', 'up'],
      [[{ type: 'pool.shutDown' }], 'offline.stopped', 'up'],
    ] as const;
    for (const [orders, where, wanted] of cases) {
      const pool = await stopping(...orders);
      const said = orders.map(({ type }) => type).join();
      expect(pool.where()).toBe('draining.stopping');
      if (orders[0].type !== 'pool.shutDown') expect(pool.memory()?.wanted, said).toBe(wanted);
      await end(pool);
      expect(pool.where(), said).toBe(where);
      expect(pool.context().nextSpec).toBeNull();
      expect(pool.context().specHash).toBe(orders.some((order) => order.type === 'pool.reload' && order.specHash === 'h2') ? 'h2' : 'h1');
    }
  });

  it('to start also brings back what would have failed for good', async () => {
    const pool = await given({ ...exited, cause: because('cuda_oom') }, { type: 'pool.start' });
    await end(pool);
    expect(pool.where()).toContain('provisioning');
  });

  it('to run another spec, then to stop, leaves it with the new spec', async () => {
    const pool = await stopping(otherSpec, drainOrder);
    await end(pool);
    expect(outcomes(pool)).toEqual(['op-1 given_up operator']);
    pool.send({ type: 'pool.start' });
    expect(pool.context()).toMatchObject({ specHash: 'h2', spec: { slots: 4 } });
  });
});

describe('an engine that will not die', () => {
  const stuck = async (...events: readonly BareEvent[]) => {
    const pool = await given(...events);
    await pool.open('stopEngine').answer({ survivors: [7, 9], killed: true, exit: null });
    expect(pool.where()).toBe('draining.stuck.waiting');
    return pool;
  };

  it('is reported with its processes, its GPUs are quarantined, and nothing is started until it is gone', async () => {
    const pool = await stuck(exited);
    expect(pool.view()).toMatchObject({ state: 'draining', live: true, reason: { code: 'unkillable' } });
    expect(pool.view().reason?.message).toContain('7, 9');
    expect(pool.reports.at(-1)).toMatchObject({ type: 'quarantine.requested', poolId: 'pool-0', gpus, cause: { code: 'unkillable' } });
    expect(pool.open('awaitTreeGone').input).toMatchObject({ survivors: [7, 9] });
    await pool.pass(299_999);
    expect(pool.where()).toBe('draining.stuck.waiting');
    await pool.open('awaitTreeGone').answer({});
    expect(pool.where(), 'its record and its file are still to go').toBe('draining.stopping');
    expect(pool.reports.at(-1)).toEqual({ type: 'quarantine.lifted', poolId: 'pool-0' });
    await end(pool);
    expect(pool.view(), 'why it was to be ended').toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
  });

  it('obeys in the end what was ordered meanwhile', async () => {
    const pool = await stuck(exited);
    pool.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    pool.send(drainOrder);
    expect(pool.view()).toMatchObject({ wanted: 'down', reason: { code: 'unkillable' } });
    await pool.open('awaitTreeGone').answer({});
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'stopped', reason: { code: 'operator' } });
  });

  it('is told to end again now and then, with its GPUs in quarantine meanwhile', async () => {
    const pool = await stuck(exited);
    for (let times = 0; times < 2; times += 1) {
      await pool.pass(300_000);
      expect(pool.where()).toBe('draining.stuck.again');
      await pool.open('stopEngine').answer({ survivors: [9], killed: true, exit: null });
    }
    expect(pool.open('awaitTreeGone').input).toMatchObject({ survivors: [9] });
    expect(pool.reports.filter(({ type }) => type.startsWith('quarantine'))).toHaveLength(1);
    await pool.pass(300_000);
    await end(pool);
    expect(pool.reports.filter(({ type }) => type === 'quarantine.lifted')).toHaveLength(1);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
  });

  it('is ended again where it may never have been told to', async () => {
    const pool = await given(exited);
    for (let times = 0; times < 3; times += 1) {
      await pool.open('stopEngine').fail(because('state_store_failed'));
      expect(pool.where()).toBe('draining.stuck.unasked');
      expect(pool.view().reason?.code).toBe('state_store_failed');
      await pool.pass(5_000);
    }
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
  });

  it('is looked at again when a look fails, or ended again when ending it does', async () => {
    const pool = await stuck(exited);
    await pool.open('awaitTreeGone').fail(because('unkillable'));
    expect(pool.where()).toBe('draining.stuck.pausing');
    await pool.pass(30_000);
    await pool.open('awaitTreeGone').answer({});
    await pool.open('stopEngine').fail(because('state_store_failed'));
    expect(pool.where()).toBe('draining.stuck.unasked');
    await pool.pass(30_000);
    await end(pool);
    expect(pool.view().reason?.code, 'why it was to be ended, however often it was looked at').toBe('engine_exited');
  });
});

describe('VRAM that does not come back', () => {
  const held = { released: false, heldBytes: 4_096 };
  const releasing = async (...events: readonly BareEvent[]) => {
    const pool = await given(...events);
    await pool.open('stopEngine').answer({ survivors: [], killed: true, exit: null });
    return pool;
  };

  it('blocks the pool, also with a new spec, and quarantines its GPUs', async () => {
    for (const orders of [[], [otherSpec]]) {
      const pool = await releasing(exited, ...orders);
      await pool.open('awaitRelease').answer(held);
      expect(pool.view()).toMatchObject({ substate: 'blocked', reason: { code: 'vram_not_released', retryable: true } });
      expect(pool.view().reason?.message).toContain('4096 bytes');
      expect(pool.reports.find(({ type }) => type === 'quarantine.requested')).toMatchObject({ gpus, cause: { code: 'vram_not_released' } });
      pool.send({ type: 'resources.changed' });
      expect(pool.where()).toContain('provisioning');
      expect(pool.context().specHash).toBe(orders.length === 0 ? 'h1' : 'h2');
    }
  });

  it('is an error of a pool that was to stop, which is stopped all the same', async () => {
    const pool = await releasing(exited, drainOrder);
    await pool.open('awaitRelease').answer({ released: false, heldBytes: null });
    expect(pool.view()).toMatchObject({ substate: 'stopped', reason: { code: 'operator' }, last_error: { code: 'vram_not_released' } });
    expect(kinds(pool)).toContain('quarantine.requested');
  });

  it('of which nothing can be known is not waited for', async () => {
    const unknown = await releasing(exited);
    await unknown.open('awaitRelease').answer({ released: null, heldBytes: null });
    expect(unknown.where()).toBe('offline.backingOff');
    const broken = await releasing(exited);
    await broken.open('awaitRelease').fail(because('driver_error'));
    expect(broken.where()).toBe('offline.backingOff');
    const lost = await releasing(exited);
    lost.send({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    expect(lost.view()).toMatchObject({ substate: 'blocked', reason: { code: 'gpu_lost' } });
  });
});

describe('GPUs while a pool is being ended', () => {
  it('that go and come are known when it comes to rest', async () => {
    const gone = await stopping({ type: 'gpus.unmatched', cause: because('gpu_lost') });
    await end(gone);
    expect(gone.view()).toMatchObject({ substate: 'blocked', reason: { code: 'gpu_lost' } });
    const back = await stopping({ type: 'gpus.unmatched', cause: because('gpu_lost') }, { type: 'gpus.matched', gpus });
    await end(back);
    expect(back.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited' } });
  });

  it('a handoff file changes nothing any more', async () => {
    const pool = await stopping({ type: 'handoff.appeared', handoff });
    expect(pool.where()).toBe('draining.stopping');
    expect(settledFiles(pool)).toEqual(['accepted', 'accepted']);
  });
});

describe('a removal and a shutdown', () => {
  it('let the work finish first; the one ends the pool, the other leaves what is wanted', async () => {
    const removed = await given({ type: 'pool.remove' });
    expect(removed.where()).toBe('draining.emptying.announcing');
    removed.send({ type: 'pool.resume' });
    expect(removed.where()).toBe('draining.emptying.announcing');
    empty(removed);
    await end(removed);
    expect(removed.where()).toBe('ended');
    const shut = await given({ type: 'pool.shutDown' });
    shut.send({ type: 'pool.resume' });
    empty(shut);
    await end(shut);
    expect(shut.view()).toMatchObject({ substate: 'stopped', wanted: 'up' });
    expect(shut.memory()?.wanted).toBe('up');
  });

  it('come on top of a drain, which may then not be resumed', async () => {
    for (const order of [{ type: 'pool.remove' }, { type: 'pool.shutDown' }] as const) {
      const pool = await given(drainOrder, order, { type: 'pool.resume' }, { type: 'pool.drain', deadlineMs: 1 });
      expect(pool.where()).toBe('draining.emptying.announcing');
      empty(pool);
      await end(pool);
      expect(pool.where()).toBe(order.type === 'pool.remove' ? 'ended' : 'offline.stopped');
    }
  });
});
