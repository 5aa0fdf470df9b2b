/** From declared to ready, and every way in which that can fail. */
import { describe, expect, it } from 'vitest';
import {
  admit,
  answer,
  handOff,
  measure,
  prove,
  provision,
  spawn,
  toAdmitting,
  toAsking,
  toLoading,
  toProving,
  toReady,
  toSpawning,
} from '../../kit/pool-steps.ts';
import { because, engine, foreignHandoff, gpus, handoff, load, model, proof, run, spec } from '../../kit/pool-words.ts';
import { drive, kinds, settledFiles } from './story.ts';

const otherSpec = { type: 'pool.reload', spec: { ...spec, slots: 4 }, specHash: 'h2', operationId: 'op-1' } as const;
const sameSpec = { ...otherSpec, spec, specHash: 'h1' } as const;

describe('a pool that is declared', () => {
  it('comes to ready by way of files, VRAM, process, handoff and proof', async () => {
    const pool = drive();
    expect(pool.where()).toBe('provisioning.(engine.resolving,model.resolving)');
    await provision(pool);
    expect(pool.where()).toBe('starting.admitting.measuring');
    await measure(pool);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'admission.requested', devices: [0], needBytes: 1_000 });
    admit(pool);
    expect(pool.open('spawnEngine').input).toMatchObject({ engine, model, gpus, reservedBytes: 1_000, specHash: 'h1' });
    await spawn(pool);
    expect(pool.where()).toBe('starting.loading.answering');
    expect(pool.watching('watchStart')?.input).toMatchObject({ stallMs: 300_000 });
    expect(pool.watching('probeHealth')?.input).toMatchObject({ pace: 'loading' });
    answer(pool);
    expect(pool.where()).toBe('starting.loading.announcing');
    handOff(pool);
    expect(pool.watching('watchStart')).toBeNull();
    expect(pool.open('proveReadiness').input).toMatchObject({ mode: 'managed', proof: null });
    await prove(pool);
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.view()).toMatchObject({
      state: 'ready',
      substate: 'healthy',
      live: true,
      endpoint: run.endpoint,
      residency: 'proven',
      slots_total: 2,
      slots_free: 2,
      active_leases: 0,
      reason: null,
      last_error: null,
    });
    expect(settledFiles(pool)).toEqual(['accepted']);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', state: 'ready', ready: true, live: true, slotsFree: 2 });
    expect(pool.memory()).toMatchObject({ wanted: 'up', phase: 'ready', proof: { residency: 'proven' } });
  });

  it('says what its provisioning is at', async () => {
    for (const [step, phases] of [
      ['engine', ['fetching', 'verifying', 'fetching', 'building']],
      ['engine', ['verifying', 'building']],
      ['engine', ['fetching', 'building']],
      ['engine', ['building']],
      ['engine', ['fetching', 'verifying', 'building']],
      ['model', ['fetching', 'verifying', 'fetching']],
      ['model', ['verifying']],
    ] as const) {
      const pool = drive();
      for (const phase of phases) {
        pool.send({ type: 'provision.advanced', step, phase });
        expect(pool.where()).toContain(`${step}.${phase}`);
      }
      expect(pool.isOpen('provisionEngine') && pool.isOpen('provisionModel'), 'no phase starts the work again').toBe(true);
      await provision(pool);
      expect(pool.where()).toBe('starting.admitting.measuring');
    }
  });

  it('is not moved by a phase that comes after its work is done, and shows progress while it lasts', async () => {
    const pool = drive();
    pool.send({ type: 'progress.made', step: 'model', doneBytes: 5, totalBytes: 10, bytesPerSecond: 2 });
    expect(pool.view().progress).toEqual({ step: 'model', done_bytes: 5, total_bytes: 10, bytes_per_second: 2 });
    pool.send({ type: 'progress.made', step: 'engine', doneBytes: 4, totalBytes: 10, bytesPerSecond: null });
    expect(pool.view().progress, 'the one that has more before it').toMatchObject({ step: 'engine', done_bytes: 4, bytes_per_second: null });
    pool.send({ type: 'progress.made', step: 'model', doneBytes: 6, totalBytes: null, bytesPerSecond: null });
    expect(pool.view().progress).toMatchObject({ step: 'model', total_bytes: null });
    await pool.open('provisionEngine').answer(engine);
    pool.send({ type: 'provision.advanced', step: 'engine', phase: 'fetching' });
    expect(pool.where()).toBe('provisioning.(engine.present,model.resolving)');
  });

  it('waits, without being down, while nothing is known of the GPUs', () => {
    const pool = drive({ gpus: null });
    expect(pool.where()).toBe('uninitialized.idle');
    expect(pool.view().degraded).toEqual(['gpus_unknown']);
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toContain('provisioning');
  });

  it('is blocked when its GPUs are not there, now or later', () => {
    const born = drive({ gpus: null, gpuCause: because('gpu_missing') });
    const told = drive({ gpus: null });
    told.send({ type: 'gpus.unmatched', cause: because('gpu_missing') });
    for (const pool of [born, told]) {
      expect(pool.where()).toBe('offline.blocked');
      expect(pool.view().reason).toMatchObject({ code: 'gpu_missing', retryable: true });
    }
  });

  it('that is not to be preloaded waits for the order, which is kept at once', () => {
    const pool = drive({ spec: { ...spec, preload: false }, gpus: null });
    expect(pool.view()).toMatchObject({ state: 'uninitialized', wanted: 'down', degraded: [] });
    pool.send({ type: 'pool.start' });
    expect(pool.where()).toBe('uninitialized.idle');
    expect(pool.memory()).toMatchObject({ wanted: 'up', phase: null });
    pool.send({ type: 'gpus.matched', gpus });
    expect(pool.where()).toContain('provisioning');
  });

  it('goes by what was wanted last before by its preload', () => {
    const memory = { version: 1, poolId: 'pool-0', wanted: 'down', phase: null, proof: null, drain: null, retry: null } as const;
    const pool = drive({ memory: { ...memory, restart: { count: 3, attempt: 0, startsMono: [], opened: 0 } } });
    expect(pool.view()).toMatchObject({ state: 'uninitialized', wanted: 'down', restarts: 3, reason: { code: 'operator' } });
    pool.send({ type: 'pool.drain', deadlineMs: null });
    expect(pool.where()).toBe('offline.stopped');
  });

  it('takes a new spec, an end and a shutdown before anything was started', () => {
    const reloaded = drive({ spec: { ...spec, preload: false } });
    reloaded.send(otherSpec);
    expect(reloaded.where()).toContain('provisioning');
    expect(reloaded.context()).toMatchObject({ specHash: 'h2', nextSpec: null, wanted: 'up', reload: { operationId: 'op-1', previous: null } });
    const removed = drive({ gpus: null });
    removed.send({ type: 'pool.remove' });
    expect(removed.where()).toBe('ended');
    expect(removed.reports.at(-1)).toEqual({ type: 'pool.ended', poolId: 'pool-0' });
    const shut = drive({ gpus: null });
    shut.send({ type: 'pool.shutDown' });
    expect(shut.where()).toBe('offline.stopped');
    expect(shut.memory()?.wanted).toBe('up');
  });

  it('writes down that its memory cannot be kept, until it can', () => {
    const pool = drive();
    pool.send({ type: 'memory.failed', cause: because('disk_full') });
    expect(pool.view().degraded).toEqual(['disk_full']);
    pool.send({ type: 'memory.failed', cause: because('state_store_failed') });
    expect(pool.view().degraded).toEqual(['state_store_failed']);
    pool.send({ type: 'memory.kept' });
    expect(pool.view().degraded).toEqual([]);
  });
});

describe('before there is a process', () => {
  const stages = { provisioning: async () => {}, 'starting.admitting': toAdmitting, 'starting.admitting.asking': toAsking } as const;

  for (const [stage, reach] of Object.entries(stages)) {
    it(`an order in ${stage} is obeyed at once and nothing is ended`, async () => {
      const orders = [
        [{ type: 'pool.drain', deadlineMs: null }, 'offline.stopped'],
        [{ type: 'pool.remove' }, 'ended'],
        [{ type: 'pool.shutDown' }, 'offline.stopped'],
        [otherSpec, 'provisioning.(engine.resolving,model.resolving)'],
        [{ type: 'gpus.unmatched', cause: because('gpu_lost') }, 'offline.blocked'],
      ] as const;
      for (const [order, where] of orders) {
        const pool = drive();
        await reach(pool);
        pool.send(order);
        expect(pool.where(), order.type).toBe(where);
        expect(pool.works.filter(({ name }) => name === 'stopEngine' || name === 'spawnEngine')).toEqual([]);
        expect(pool.works.slice(0, -2).every(({ state }) => state !== 'open')).toBe(true);
      }
    });

    it(`a repeated order to start, or the same spec, changes nothing in ${stage} but the restart policy`, async () => {
      const restart = { count: 9, attempt: 7, startsMono: [1], opened: 2 };
      const pool = drive({ memory: { version: 1, poolId: 'pool-0', wanted: 'up', restart, phase: null, proof: null, drain: null, retry: null } });
      await reach(pool);
      const [where, works] = [pool.where(), pool.works.length];
      pool.send({ type: 'pool.start' });
      pool.send(sameSpec);
      expect(pool.where()).toBe(where);
      expect(pool.works).toHaveLength(works);
      expect(pool.context().restart).toEqual({ count: 9, attempt: 0, startsMono: [], opened: 0 });
    });
  }

  it('what cannot be provisioned ends by its reason', async () => {
    const missing = drive();
    await missing.open('provisionEngine').fail(because('engine_missing'));
    expect(missing.where()).toBe('offline.failed');
    const late = drive();
    await late.open('provisionModel').fail(because('download_unreachable'));
    expect(late.where()).toBe('offline.backingOff');
    expect(late.open.bind(null, 'provisionEngine'), 'the other half is given up').toThrow();
    const broke = drive();
    await broke.open('provisionModel').break(new Error('a bug'));
    expect(broke.view().reason).toMatchObject({ code: 'model_missing', message: 'unexpected failure: a bug' });
  });

  it('what does not fit is blocked until VRAM frees, and looks again by itself', async () => {
    const pool = drive();
    await toAsking(pool);
    pool.send({ type: 'admission.refused', cause: because('insufficient_vram') });
    expect(pool.where()).toBe('offline.blocked');
    expect(pool.view().reason?.code).toBe('insufficient_vram');
    pool.send({ type: 'resources.changed' });
    expect(pool.where()).toContain('provisioning');
    await toAsking(pool);
    pool.send({ type: 'admission.refused', cause: because('insufficient_vram') });
    await pool.pass(29_999);
    expect(pool.where()).toBe('offline.blocked');
    await pool.pass(1);
    expect(pool.where()).toContain('provisioning');
  });

  it('cards that cannot be measured, and a node that does not answer, are tried again', async () => {
    const blind = drive();
    await toAdmitting(blind);
    await blind.open('measureGpus').fail(because('driver_error'));
    expect(blind.where()).toBe('offline.backingOff');
    const silent = drive();
    await toAsking(silent);
    await silent.pass(5_000);
    expect(silent.where()).toBe('offline.backingOff');
    expect(silent.view().reason).toMatchObject({ code: 'driver_error', next_retry_at: null });
    expect(kinds(silent)).not.toContain('pool.backedOff');
  });

  it('nothing of an engine is believed, for there is none', async () => {
    for (const reach of [toAdmitting, toAsking, toSpawning]) {
      const pool = drive();
      await reach(pool);
      const where = pool.where();
      pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('engine_exited'), tail: [] });
      pool.send({ type: 'health.failed', outcome: 'foreign', cause: because('port_conflict'), hostSuspected: false });
      pool.send({ type: 'residency.violated', cause: because('residency_violation') });
      expect(pool.where()).toBe(where);
    }
  });
});

describe('while the process is being made', () => {
  it('orders are kept at once, and obeyed when its record is there', async () => {
    const cases = [
      [[{ type: 'pool.drain', deadlineMs: null }], 'operator', 'offline.stopped', 'down'],
      [[{ type: 'pool.remove' }], 'remove', 'ended', 'down'],
      [[{ type: 'pool.shutDown' }], 'shutdown', 'offline.stopped', 'up'],
      [[otherSpec], 'reload', 'provisioning.(engine.resolving,model.resolving)', 'up'],
      [[{ type: 'gpus.unmatched', cause: because('gpu_lost') }], 'gpu', 'offline.blocked', 'up'],
      [[{ type: 'pool.drain', deadlineMs: null }, otherSpec], 'reload', 'provisioning.(engine.resolving,model.resolving)', 'up'],
    ] as const;
    for (const [orders, why, where, wanted] of cases) {
      const pool = drive();
      await toSpawning(pool);
      for (const order of orders) pool.send(order);
      expect(pool.where()).toBe('starting.spawning');
      expect(pool.memory()?.wanted).toBe(wanted);
      await spawn(pool);
      expect(pool.where(), why).toBe('draining.stopping');
      expect(pool.context().drain?.why).toBe(why);
      expect(pool.watching('watchEngine')).toBeNull();
      await pool.open('stopEngine').answer({ survivors: [], killed: false, exit: null });
      await pool.open('awaitRelease').answer({ released: true, heldBytes: 0 });
      expect(pool.where()).toBe(where);
    }
  });

  it('an order taken back is no order', async () => {
    const pool = drive();
    await toSpawning(pool);
    pool.send({ type: 'pool.drain', deadlineMs: null });
    pool.send({ type: 'pool.start' });
    await spawn(pool);
    expect(pool.where()).toBe('starting.loading.answering');
    const reloaded = drive();
    await toSpawning(reloaded);
    reloaded.send({ type: 'pool.drain', deadlineMs: null });
    reloaded.send(sameSpec);
    await spawn(reloaded);
    expect(reloaded.where()).toBe('starting.loading.answering');
  });

  it('a spawn that fails is tried again; against an order it is only an error', async () => {
    const pool = drive();
    await toSpawning(pool);
    await pool.open('spawnEngine').fail(because('port_conflict'));
    expect(pool.where()).toBe('offline.backingOff');
    expect(pool.context().restart).toMatchObject({ count: 1, attempt: 1, startsMono: [1_000_000] });
    const drained = drive();
    await toSpawning(drained);
    drained.send({ type: 'pool.drain', deadlineMs: null });
    await drained.open('spawnEngine').fail(because('port_conflict'));
    expect(drained.view()).toMatchObject({
      state: 'offline',
      substate: 'stopped',
      reason: { code: 'operator' },
      last_error: { code: 'port_conflict' },
    });
  });
});

describe('while the engine loads', () => {
  it('only a handoff of this incarnation opens the proof', async () => {
    const pool = drive();
    await toLoading(pool);
    pool.send({ type: 'handoff.appeared', handoff: { ...handoff, incarnation: 'inc-0' } });
    pool.send({ type: 'handoff.appeared', handoff: { ...foreignHandoff, endpoint: 'http://127.0.0.1:1' } });
    pool.send({ type: 'handoff.appeared', handoff: { ...handoff, ready: false } });
    expect(pool.where()).toBe('starting.loading.answering');
    expect(settledFiles(pool)).toEqual(['stale', 'ignored', 'not_ready']);
    pool.send({ type: 'handoff.appeared', handoff: foreignHandoff });
    expect(pool.where(), 'an engine that hands itself off may be first').toBe('starting.proving');
  });

  it('a file that cannot be written, a stall, a stranger and an end are ends of the start', async () => {
    const cases = [
      [{ type: 'engine.stalled', cause: because('start_stalled') }, 'offline.backingOff'],
      [{ type: 'health.failed', outcome: 'foreign', cause: because('port_conflict'), hostSuspected: false }, 'offline.backingOff'],
      [{ type: 'engine.faulted', cause: because('cuda_error') }, 'offline.backingOff'],
      [{ type: 'residency.violated', cause: because('residency_violation') }, 'offline.failed'],
      [{ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('cuda_oom'), tail: [] }, 'offline.failed'],
      [{ type: 'engine.exited', exit: { code: 0, signal: null }, cause: because('engine_completed'), tail: [] }, 'offline.stopped'],
      [{ type: 'gpus.unmatched', cause: because('gpu_lost') }, 'offline.blocked'],
    ] as const;
    for (const [event, where] of cases) {
      const pool = drive();
      await toLoading(pool);
      pool.send(event);
      expect(pool.where(), event.type).toBe('draining.stopping');
      await pool.open('stopEngine').answer({ survivors: [], killed: false, exit: null });
      await pool.open('awaitRelease').answer({ released: true, heldBytes: 0 });
      expect(pool.where(), event.type).toBe(where);
    }
    const unwritten = drive();
    await toLoading(unwritten);
    answer(unwritten);
    await unwritten.open('announceHandoff').fail(because('state_store_failed'));
    expect(unwritten.where()).toBe('draining.stopping');
  });

  it('an order ends it without waiting for work it cannot have', async () => {
    const cases = [
      [{ type: 'pool.drain', deadlineMs: 60_000 }, 'operator'],
      [{ type: 'pool.remove' }, 'remove'],
      [{ type: 'pool.shutDown' }, 'shutdown'],
      [otherSpec, 'reload'],
    ] as const;
    for (const [order, why] of cases) {
      const pool = drive();
      await toLoading(pool);
      pool.send(sameSpec);
      pool.send({ type: 'pool.start' });
      expect(pool.where()).toBe('starting.loading.answering');
      pool.send(order);
      expect(pool.where()).toBe('draining.stopping');
      expect(pool.context().drain).toMatchObject({ why, forced: false });
    }
  });

  it('loading and proving share one cap, counted from the start of the process', async () => {
    const pool = drive({ spec: { ...spec, timeouts: { ...spec.timeouts, start_max_ms: 900_000 } } });
    await toLoading(pool);
    await pool.pass(400_000);
    answer(pool);
    handOff(pool);
    await pool.pass(499_999);
    expect(pool.where()).toBe('starting.proving');
    await pool.pass(1);
    expect(pool.where()).toBe('draining.stopping');
    expect(pool.view().reason).toMatchObject({ code: 'start_timeout' });
    const never = drive();
    await toLoading(never);
    await never.pass(600_001);
    expect(never.where()).toBe('draining.stopping');
  });

  it('an engine that answers not yet, or late, is not a failure', async () => {
    const pool = drive();
    await toLoading(pool);
    pool.send({ type: 'health.failed', outcome: 'error', cause: because('health_failed'), hostSuspected: false });
    pool.send({ type: 'health.failed', outcome: 'timeout', cause: because('health_failed'), hostSuspected: false });
    expect(pool.where()).toBe('starting.loading.answering');
    pool.send({ type: 'health.passed', outcome: 'busy', load: load(2) });
    expect(pool.where()).toBe('starting.loading.announcing');
  });
});

describe('while it is proven', () => {
  it('a proof that fails ends the start; so does one that does not show where the memory is', async () => {
    const refuted = drive();
    await toProving(refuted);
    await refuted.open('proveReadiness').fail(because('residency_violation'));
    expect(refuted.where()).toBe('draining.stopping');
    expect(refuted.view().reason?.code).toBe('residency_violation');
    const unproven = drive();
    await toProving(unproven);
    await prove(unproven, { residency: 'unproven' });
    expect(unproven.where()).toBe('draining.stopping');
    expect(unproven.view().reason?.code).toBe('residency_violation');
    expect(unproven.path).not.toContain('ready.healthy');
  });

  it('simulated GPUs are called so', async () => {
    const pool = drive();
    await toProving(pool);
    await prove(pool, { residency: 'simulated', slotsTotal: null });
    expect(pool.view()).toMatchObject({ state: 'ready', residency: 'simulated' });
  });

  it('the slots that the proof knows stand in for those nobody has counted yet', async () => {
    const pool = drive();
    await toLoading(pool);
    handOff(pool);
    await prove(pool, proof);
    expect(pool.view()).toMatchObject({ state: 'ready', slots_total: 2, slots_free: null, active_leases: null });
  });
});

describe('what the engine says of its slots', () => {
  it('is heard from when it loads until it is ended', async () => {
    const pool = drive();
    await toSpawning(pool);
    pool.send({ type: 'engine.loadChanged', load: load(2) });
    expect(pool.view().active_leases, 'of an engine before').toBeNull();
    await spawn(pool);
    pool.send({ type: 'engine.loadChanged', load: load(1) });
    expect(pool.view().active_leases).toBe(1);
    answer(pool);
    handOff(pool);
    pool.send({ type: 'engine.loadChanged', load: load(2) });
    expect(pool.view().active_leases).toBe(2);
  });

  it('is never more free than there are', async () => {
    const pool = drive();
    await toReady(pool);
    pool.send({ type: 'engine.loadChanged', load: { slotsTotal: 2, slotsFree: 7, inFlight: 0 } });
    expect(pool.view()).toMatchObject({ slots_total: 2, slots_free: 2 });
  });
});
