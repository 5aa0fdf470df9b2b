/** A pool that serves: probes, slots, ends, and what makes it leave. */
import { describe, expect, it } from 'vitest';
import type { PoolDriver } from '../../kit/pool-driver.ts';
import { end, prove, toLoading, toProving, toReady } from '../../kit/pool-steps.ts';
import { because, gpus, handoff, load, run, spec } from '../../kit/pool-words.ts';
import { drive, kinds, settledFiles } from './story.ts';

const failed = { type: 'health.failed', outcome: 'timeout', cause: because('health_failed'), hostSuspected: false } as const;
const passed = { type: 'health.passed', outcome: 'ok', load: load(0) } as const;

const ready = async (): Promise<PoolDriver> => {
  const pool = drive();
  await toReady(pool);
  return pool;
};

describe('probes of a ready pool', () => {
  it('two misses make it suspect, which is still dispatchable; one pass makes it healthy', async () => {
    const pool = await ready();
    pool.send(failed);
    pool.send(failed);
    expect(pool.where()).toBe('ready.suspect');
    expect(pool.view()).toMatchObject({ ready: true, degraded: ['suspect'], probe_error: because('health_failed'), pid: run.pid });
    pool.send(passed);
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.view().probe_error).toBeNull();
    pool.send(failed);
    pool.send(failed);
    expect(pool.where(), 'misses are counted in a row').toBe('ready.suspect');
  });

  it('the third miss in a row empties it, and two passes in a row bring it back', async () => {
    const pool = await ready();
    for (let misses = 0; misses < 3; misses += 1) pool.send(failed);
    expect(pool.where()).toBe('draining.emptying.recovering');
    expect(pool.watching('probeHealth')?.heard.at(-1)).toEqual({ type: 'probe.paced', pace: 'emptying' });
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', state: 'draining', ready: false, live: true });
    pool.send(passed);
    pool.send(failed);
    pool.send(passed);
    expect(pool.where()).toBe('draining.emptying.recovering');
    pool.send(passed);
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.watching('probeHealth')?.heard.at(-1)).toEqual({ type: 'probe.paced', pace: 'steady' });
    expect(pool.view()).toMatchObject({ reason: null, last_error: { code: 'health_failed' }, restarts: 0 });
    expect(pool.context().drain).toBeNull();
  });

  it.each([
    ['30 s, with work in it,', 1, 30_000],
    ['30 s, where nobody knows of its work,', null, 30_000],
    ['10 s, with nothing to do,', 0, 10_000],
  ])('without two passes within %s its engine is ended and started again, and nothing was forced', async (_, inFlight, graceMs) => {
    const pool = await ready();
    pool.send({ type: 'engine.loadChanged', load: load(inFlight) });
    for (let misses = 0; misses < 3; misses += 1) pool.send(failed);
    await pool.pass(graceMs - 1);
    pool.send({ type: 'engine.loadChanged', load: load(0) });
    expect(pool.where(), 'an empty engine may still recover').toBe('draining.emptying.recovering');
    await pool.pass(1);
    expect(pool.where()).toBe('draining.stopping');
    expect(pool.context().drain).toMatchObject({ why: 'health', forced: false });
    await end(pool);
    expect(pool.where()).toBe('offline.backingOff');
    expect(pool.view()).toMatchObject({ restarts: 1, reason: { code: 'health_failed' } });
  });

  it('that fail and pass in turns take it out of service once in 30 s at most, and end nothing that passes when its grace is over (row 56)', async () => {
    const pool = await ready();
    const left: number[] = [];
    const slowly = async (event: typeof failed | typeof passed): Promise<void> => {
      await pool.pass(2_000);
      const was = pool.view().ready;
      pool.send(event);
      if (was && !pool.view().ready) left.push(pool.clock.now());
    };
    for (let turns = 0; turns < 60; turns += 1) {
      for (let misses = 0; misses < 3; misses += 1) await slowly(failed);
      if (turns === 1) expect(pool.view()).toMatchObject({ substate: 'emptying.recovering', degraded: ['flapping'] });
      for (let passes = 0; passes < 7; passes += 1) await slowly(passed);
    }
    const gaps = left.slice(2).map((mono, index) => mono - (left[index + 1] ?? 0));
    expect(left.length).toBeGreaterThan(10);
    expect(Math.min(...gaps), 'but for the second time').toBeGreaterThanOrEqual(30_000);
    expect(pool.context().restart.count).toBe(0);
  });

  it('are forgiven at once again after a minute in service', async () => {
    const pool = await ready();
    for (const restMs of [10_000, 70_000, 0]) {
      for (let misses = 0; misses < 3; misses += 1) pool.send(failed);
      pool.send(passed);
      pool.send(passed);
      if (pool.where() !== 'ready.healthy') await pool.pass(30_000);
      expect(pool.where()).toBe('ready.healthy');
      await pool.pass(restMs);
    }
    expect(pool.path.filter((path) => path === 'draining.emptying.recovering')).toHaveLength(3);
    expect(pool.clock.now(), 'only the second was held back').toBe(110_000);
  });

  it('follow new times at once, and the engine stays', async () => {
    const pool = await ready();
    const [before] = [pool.watching('probeHealth')];
    const adjusted = { ...spec, health: { ...spec.health, interval_ms: 500, failures: 1 }, timeouts: { ...spec.timeouts, drain_ms: 7_000 } };
    pool.send({ type: 'spec.adjusted', spec: { ...adjusted, slots: 9 }, specHash: 'of another' });
    expect(pool.watching('probeHealth')).toBe(before);
    expect(pool.context().spec).toEqual(spec);
    pool.send({ type: 'spec.adjusted', spec: adjusted, specHash: 'h1' });
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.watching('probeHealth')).not.toBe(before);
    expect(pool.context().run).toMatchObject({ pid: 4_242, spec: adjusted });
    pool.send(failed);
    expect(pool.where()).toBe('draining.emptying.recovering');
    pool.send({ type: 'spec.adjusted', spec, specHash: 'h1' });
    expect(pool.context().spec).toEqual(spec);
  });

  it('that most engines fail at once are waited out for one more, which is said', async () => {
    const alike = { ...failed, hostSuspected: true } as const;
    const pool = await ready();
    pool.send(failed);
    pool.send(alike);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', ready: true, hostSuspected: true });
    pool.send(alike);
    expect(pool.where()).toBe('ready.suspect');
    expect(pool.view().degraded).toEqual(['suspect', 'host_suspected']);
    pool.send(alike);
    expect(pool.where()).toBe('draining.emptying.recovering');
    expect(pool.view().degraded).toEqual(['host_suspected']);
    pool.send(failed);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', state: 'draining', hostSuspected: false });
    pool.send(alike);
    pool.send(passed);
    expect(pool.view().degraded).toEqual([]);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', state: 'draining', hostSuspected: false });
    pool.send(passed);
    expect(pool.where()).toBe('ready.healthy');
  });

  it('that are no longer failed by most are judged by the threshold; a standstill and a stranger by themselves', async () => {
    const pool = await ready();
    for (const hostSuspected of [true, true, false]) pool.send({ ...failed, hostSuspected });
    expect(pool.where()).toBe('draining.emptying.recovering');
    const passing = await ready();
    passing.send({ ...failed, hostSuspected: true });
    passing.send(passed);
    expect(passing.reports.at(-1)).toMatchObject({ type: 'pool.changed', ready: true, hostSuspected: false });
    const wedged = await ready();
    wedged.send({ ...failed, outcome: 'wedged', hostSuspected: true });
    expect(wedged.where()).toBe('draining.emptying.recovering');
    const foreign = await ready();
    foreign.send({ ...failed, outcome: 'foreign', hostSuspected: true });
    expect(foreign.where()).toBe('draining.stopping');
  });

  it('one that shows work standing still is enough', async () => {
    const pool = await ready();
    pool.send({ type: 'health.failed', outcome: 'wedged', cause: because('wedged'), hostSuspected: false });
    expect(pool.where()).toBe('draining.emptying.recovering');
    expect(pool.view().reason?.code).toBe('wedged');
  });

  it('a stranger behind the port is no engine of ours to wait for', async () => {
    const pool = await ready();
    pool.send({ type: 'health.failed', outcome: 'foreign', cause: because('port_conflict'), hostSuspected: false });
    expect(pool.where()).toBe('draining.stopping');
  });

  it('a busy engine is not a failure', async () => {
    const pool = await ready();
    for (let times = 0; times < 10; times += 1) pool.send({ type: 'health.passed', outcome: 'busy', load: load(2) });
    pool.send({ type: 'engine.sampled', outcome: 'busy', load: load(2), vramUsedBytes: 900 });
    expect(pool.where()).toBe('ready.healthy');
    expect(pool.view()).toMatchObject({ slots_free: 0, active_leases: 2, vram_used_bytes: 900 });
  });

  it('the node hears when the last slot is taken and when one is free again, and of nothing in between', async () => {
    const pool = await ready();
    const heard = () => pool.reports.filter(({ type }) => type === 'pool.changed').length;
    const before = heard();
    pool.send({ type: 'engine.loadChanged', load: load(1) });
    expect(heard()).toBe(before);
    pool.send({ type: 'engine.loadChanged', load: load(2) });
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', ready: true, slotsFree: 0 });
    pool.send(failed);
    pool.send({ type: 'health.passed', outcome: 'ok', load: load(1) });
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', ready: true, slotsFree: 1 });
    pool.send({ type: 'health.passed', outcome: 'busy', load: load(2) });
    expect(heard()).toBe(before + 3);
  });
});

describe('a ready pool whose engine is lost', () => {
  it('is not ready at once; the rest of its tree is ended, its VRAM awaited, and it starts again by its reason', async () => {
    const cases = [
      [{ type: 'engine.exited', exit: { code: 134, signal: 'SIGABRT' }, cause: because('engine_exited'), tail: ['abort'] }, 'offline.backingOff'],
      [{ type: 'engine.exited', exit: { code: null, signal: 'SIGKILL' }, cause: because('oom_killed'), tail: [] }, 'offline.backingOff'],
      [{ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because('cuda_oom'), tail: [] }, 'offline.failed'],
      [{ type: 'engine.faulted', cause: because('cuda_error') }, 'offline.backingOff'],
      [{ type: 'residency.violated', cause: because('residency_violation') }, 'offline.failed'],
      [{ type: 'gpus.unmatched', cause: because('gpu_lost') }, 'offline.blocked'],
    ] as const;
    for (const [event, where] of cases) {
      const pool = await ready();
      pool.send(event);
      expect(pool.where()).toBe('draining.stopping');
      expect(pool.watching('probeHealth') ?? pool.watching('watchEngine')).toBeNull();
      expect(pool.memory()).toMatchObject({ phase: 'stopping' });
      await end(pool);
      expect(pool.where(), event.type).toBe(where);
      expect(pool.view()).toMatchObject({ live: false, endpoint: null, slots_free: null });
      expect(kinds(pool)).toContain('reservation.released');
    }
  });

  it('takes no work from the moment its process is gone, and is ended once it is known why', async () => {
    const pool = await ready();
    pool.send({ type: 'engine.gone', exit: { code: null, signal: 'SIGKILL' } });
    expect(pool.where()).toBe('draining.explaining');
    expect(pool.view()).toMatchObject({ ready: false, reason: { code: 'engine_exited' } });
    expect(pool.view().reason?.message).toMatch(/^the engine ended by SIGKILL; why/);
    expect(pool.reports.at(-1)).toMatchObject({ type: 'pool.changed', ready: false });
    pool.send({ type: 'engine.exited', exit: { code: null, signal: 'SIGKILL' }, cause: because('oom_killed'), tail: ['last words'] });
    expect(pool.where()).toBe('draining.stopping');
    expect(pool.view()).toMatchObject({ reason: { code: 'oom_killed' }, last_error: { code: 'oom_killed', tail: ['last words'] } });
  });

  it.each([
    [{ code: 3, signal: null }, 'the engine ended with code 3; why is not known'],
    [{ code: null, signal: null }, 'the engine ended; why is not known'],
  ])('is ended also where nobody finds out why: %j', async (exit, message) => {
    const pool = await ready();
    pool.send({ type: 'engine.gone', exit });
    await pool.pass(2_000);
    expect(pool.where()).toBe('draining.stopping');
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'engine_exited', message } });
  });

  it('that ended with code 0 is at its end, not in a crash', async () => {
    const pool = await ready();
    pool.send({ type: 'engine.exited', exit: { code: 0, signal: null }, cause: because('engine_completed'), tail: [] });
    await end(pool);
    expect(pool.view()).toMatchObject({ state: 'offline', substate: 'stopped', wanted: 'up', restarts: 0, reason: { code: 'engine_completed' } });
    await pool.pass(3_600_000);
    expect(pool.where()).toBe('offline.stopped');
    pool.send({ type: 'pool.start' });
    expect(pool.where()).toContain('provisioning');
  });
});

describe('a handoff file of a ready pool', () => {
  it('that says ready:false empties it and starts it anew; others change nothing', async () => {
    const pool = await ready();
    pool.send({ type: 'handoff.appeared', handoff });
    pool.send({ type: 'handoff.appeared', handoff: { ...handoff, incarnation: 'inc-0', ready: false } });
    pool.send({ type: 'handoff.appeared', handoff: { ...handoff, incarnation: null, pidStartTime: 1, ready: false } });
    expect(pool.where()).toBe('ready.healthy');
    pool.send({ type: 'handoff.appeared', handoff: { ...handoff, ready: false } });
    expect(pool.where()).toBe('draining.emptying.announcing');
    expect(settledFiles(pool)).toEqual(['accepted', 'accepted', 'stale', 'stale', 'not_ready']);
    pool.send({ type: 'pool.resume' });
    expect(pool.where(), 'a person may overrule it').toBe('ready.healthy');
  });
});

describe('time in ready', () => {
  const restart = { count: 20, attempt: 6, startsMono: [999_000], opened: 2 };
  const recovered = async () => {
    const pool = drive({ memory: { version: 1, poolId: 'pool-0', wanted: 'up', restart, phase: null, proof: null, drain: null, retry: null } });
    await toReady(pool);
    return pool;
  };

  it('of a minute closes the breaker, of five minutes forgets all failures, and both are written down', async () => {
    const pool = await recovered();
    await pool.pass(59_999);
    expect(pool.context().restart.opened).toBe(2);
    await pool.pass(1);
    expect(pool.memory()?.restart).toEqual({ count: 20, attempt: 6, startsMono: [], opened: 0 });
    pool.send(failed);
    await pool.pass(239_999);
    expect(pool.context().restart.attempt).toBe(6);
    await pool.pass(1);
    expect(pool.memory()?.restart).toEqual({ count: 20, attempt: 0, startsMono: [], opened: 0 });
  });

  it('does not clear a window whose breaker never opened', async () => {
    const pool = await ready();
    await pool.pass(60_000);
    expect(pool.context().restart.startsMono).toHaveLength(1);
  });

  it('counts from the last time it became ready', async () => {
    const pool = await recovered();
    await pool.pass(59_000);
    for (let misses = 0; misses < 3; misses += 1) pool.send(failed);
    pool.send(passed);
    pool.send(passed);
    await pool.pass(59_000);
    expect(pool.context().restart.opened).toBe(2);
  });
});

describe('an order to a ready pool that it obeys already', () => {
  it('changes nothing', async () => {
    const pool = await ready();
    const before = pool.snapshot();
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'pool.resume' });
    pool.send({ type: 'pool.reload', spec, specHash: 'h1', operationId: 'op-1' });
    pool.send({ type: 'resources.changed' });
    pool.send({ type: 'drain.acknowledged' });
    expect(pool.snapshot().value).toEqual(before.value);
    expect(pool.context()).toEqual(before.context);
  });

  it('and GPUs that were renumbered are known by their new number', async () => {
    const pool = await ready();
    pool.send({ type: 'gpus.matched', gpus: gpus.map((gpu) => ({ ...gpu, index: 5 })) });
    expect(pool.view()).toMatchObject({ state: 'ready', gpu_device: 5, device_mask: '5', vram_total_bytes: 24, vram_free_bytes: 12 });
  });
});

describe('an engine that is said to have gone while something else is waited for', () => {
  const exit = { code: null, signal: 'SIGKILL' } as const;
  const why = { type: 'engine.exited', exit, cause: because('oom_killed'), tail: [] } as const;

  it('is not served by once its proof is there', async () => {
    const pool = drive();
    await toProving(pool);
    pool.send({ type: 'engine.gone', exit });
    await prove(pool);
    pool.explain(why);
    expect(pool.where()).toBe('draining.stopping');
    await end(pool);
    expect(pool.view()).toMatchObject({ substate: 'backingOff', reason: { code: 'oom_killed' } });
  });

  it('is not served by once its drain is taken back', async () => {
    const pool = await ready();
    pool.send({ type: 'pool.drain', deadlineMs: null });
    pool.send({ type: 'engine.gone', exit });
    pool.send({ type: 'pool.resume' });
    pool.explain(why);
    expect(pool.where()).toBe('draining.stopping');
  });
});

describe('new times and probes', () => {
  const health = { ...spec.health, timeout_ms: 30_000, progress_timeout_ms: 60_000 };
  const adjust = (pool: PoolDriver): void => pool.send({ type: 'spec.adjusted', spec: { ...spec, health }, specHash: 'h1' });

  it.each([
    ['loading', toLoading, 'loading'],
    ['being proven', toProving, 'steady'],
    ['serving', toReady, 'steady'],
    [
      'emptying',
      async (pool: PoolDriver) => {
        await toReady(pool);
        pool.send({ type: 'pool.drain', deadlineMs: null });
      },
      'emptying',
    ],
  ] as const)('are probed by at once while an engine is %s', async (_, toThere, pace) => {
    const pool = drive();
    await toThere(pool);
    const where = pool.where();
    adjust(pool);
    expect(pool.where()).toBe(where);
    expect(pool.watching('probeHealth')?.input).toMatchObject({ pace, run: { spec: { health } } });
    expect(pool.watching('watchEngine')).not.toBeNull();
  });

  it('are those of the next engine where there is none', async () => {
    const pool = drive();
    adjust(pool);
    await toReady(pool);
    expect(pool.context().spec.health).toEqual(health);
  });
});
