import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GpuView, PoolStatus } from '../../src/machines/views.ts';
import { metricDefinitions } from '../../src/observe/metric-definitions.ts';
import { metricsDocs } from '../../src/observe/metric-docs.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createInspector, type Observation } from '../../src/observe/observe.ts';
import { observationOf } from '../kit/observation.ts';
import { readPrometheus } from '../kit/prometheus-text.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';
import { gpuView, nodeView, poolStatus } from '../kit/views.ts';

const setUp = (pools: readonly PoolStatus[] = [poolStatus()], gpus: readonly GpuView[] = [gpuView()]) => {
  const views = { present: pools, gpus, node: nodeView() };
  const failures = new Map<string, number>();
  const metrics = createMetrics({
    nodeId: 'gpu-node-1',
    views: { pools: () => views.present, gpus: () => views.gpus, node: () => views.node },
    failures: () => failures,
  });
  return { metrics, views, failures, scrape: async () => readPrometheus(await metrics.render()) };
};

let mono = 0;
const seen = (from: string, to: string, afterMs: number, own: Partial<Observation> = {}): Observation => {
  mono += afterMs;
  return observationOf(from, to, { mono, ...own });
};

describe('gauges', () => {
  it('say what the views say, in base units, with the node on every series', async () => {
    const { scrape } = setUp();
    const { series, value, types } = await scrape();
    const pool = { pool_id: 'pool-0' };
    expect(value('pool_slots_total', pool)).toBe(4);
    expect(value('pool_slots_free', pool)).toBe(3);
    expect(value('pool_vram_total_bytes', pool)).toBe(24_000_000_000);
    expect(value('pool_vram_free_bytes', pool)).toBe(16_000_000_000);
    expect(value('pool_ready', pool)).toBe(1);
    expect(value('pool_requests_running', pool)).toBe(1);
    expect(value('pool_state', { state: 'ready' })).toBe(1);
    expect(value('pool_state', { state: 'offline' })).toBe(0);
    expect(value('gpu_utilisation_ratio', { gpu_uuid: 'GPU-1', gpu_index: '0' })).toBe(0.4);
    expect(value('node_registration_state', { state: 'registered' })).toBe(1);
    expect(types.get('nodejs_eventloop_lag_seconds')).toBe('gauge');
    expect(types.get('process_resident_memory_bytes')).toBe('gauge');
    expect([...types.keys()].filter((name) => name.startsWith('nodejs_active'))).toEqual([]);
    expect(series.filter(({ labels }) => labels['node_id'] !== 'gpu-node-1')).toEqual([]);
  });

  it('of what is not known are absent, not 0', async () => {
    const unknown = poolStatus({ slots_total: null, slots_free: null, vram_used_bytes: null, vram_free_bytes: Number.NaN, active_leases: null });
    const { scrape } = setUp([unknown], [gpuView({ temperature_c: null, utilisation_percent: null })]);
    const { value } = await scrape();
    for (const name of ['pool_slots_total', 'pool_slots_free', 'pool_vram_used_bytes', 'pool_vram_free_bytes', 'pool_requests_running'])
      expect(value(name), name).toBeNull();
    expect(value('gpu_temperature_celsius')).toBeNull();
    expect(value('gpu_utilisation_ratio')).toBeNull();
    expect(value('pool_ready')).toBe(1);
  });

  it('are of the kind and labels that the definitions say, and so are all others', async () => {
    const { types } = await setUp().scrape();
    for (const [name, { kind }] of Object.entries(metricDefinitions)) expect(types.get(name), name).toBe(kind);
  });
});

describe('counters and durations', () => {
  it('time each phase of a start that went on, and the whole', async () => {
    const { metrics, scrape } = setUp();
    for (const step of [
      seen('uninitialized.idle', 'provisioning.engine', 0),
      seen('provisioning.engine', 'starting.admitting', 1_000),
      seen('starting.admitting', 'starting.spawning', 500),
      seen('starting.spawning', 'starting.loading', 250),
      seen('starting.loading', 'starting.proving', 60_000),
      seen('starting.proving', 'ready.healthy', 2_000),
    ])
      metrics.observe(step);
    const { value } = await scrape();
    const sum = (phase: string) => value('pool_start_duration_seconds_sum', { pool_id: 'pool-0', phase });
    expect(['provision', 'admit', 'spawn', 'load', 'prove', 'total'].map(sum)).toEqual([1, 0.5, 0.25, 60, 2, 63.75]);
    expect(value('pool_start_duration_seconds_count', { phase: 'total' })).toBe(1);
    expect(value('pool_start_duration_seconds_bucket', { phase: 'load', le: '60' })).toBe(1);
    expect(value('pool_start_duration_seconds_bucket', { phase: 'load', le: '15' })).toBe(0);
  });

  it('do not time a start that failed, nor the start of an engine that was adopted', async () => {
    const { metrics, scrape } = setUp();
    for (const step of [
      seen('provisioning.engine', 'starting.spawning', 0),
      seen('starting.spawning', 'draining.stopping', 10),
      seen('draining.stopping', 'offline.backingOff', 10),
      seen('', 'starting.adopting', 0),
      seen('starting.adopting', 'starting.proving', 10),
      seen('starting.proving', 'ready.healthy', 10),
    ])
      metrics.observe(step);
    const { series } = await scrape();
    const phases = series.filter(({ name }) => name === 'pool_start_duration_seconds_count').map(({ labels }) => labels['phase']);
    expect(phases).toEqual(['prove']);
  });

  it('time drains and the return of VRAM; an engine that came back was not drained', async () => {
    const { metrics, scrape } = setUp();
    for (const step of [
      seen('ready.healthy', 'draining.emptying.recovering', 0),
      seen('draining.emptying.recovering', 'ready.healthy', 100),
      seen('ready.healthy', 'draining.emptying.waiting', 0),
      seen('draining.emptying.waiting', 'draining.stopping', 3_000),
      seen('draining.stopping', 'draining.releasing', 1_000),
      seen('draining.releasing', 'offline.stopped', 500),
    ])
      metrics.observe(step);
    const { value } = await scrape();
    expect(value('pool_drain_duration_seconds_sum')).toBe(4.5);
    expect(value('pool_drain_duration_seconds_count')).toBe(1);
    expect(value('pool_vram_release_seconds_sum')).toBe(0.5);
  });

  it('count restarts, forced drains, probes, handoff files and heartbeats by their outcome', async () => {
    const { metrics, scrape } = setUp();
    const context = (before: object, after: object) => ({
      before: { value: '', context: before, status: 'active' },
      snapshot: { value: '', context: after, status: 'active' },
    });
    const reason = { code: 'engine_exited', message: 'code 1' };
    metrics.observe(seen('a', 'b', 0, context({ restart: { count: 0 } }, { restart: { count: 1 }, reason })));
    metrics.observe(seen('a', 'a', 0, context({ restart: { count: 1 } }, { restart: { count: 1 }, reason })));
    metrics.observe(seen('a', 'b', 0, context({ drain: { forced: false } }, { drain: { forced: true } })));
    metrics.observe(seen('a', 'b', 0, context({ drain: { forced: true } }, { drain: { forced: true } })));
    for (const killed of [true, false, true])
      metrics.observe(seen('a', 'b', 0, { event: { type: 'xstate.done.actor.stopEngine', output: { killed, survivors: [] } } }));
    metrics.observe(seen('a', 'a', 0, { event: { type: 'engine.sampled', outcome: 'ok' }, sample: true }));
    metrics.observe(seen('a', 'a', 0, { event: { type: 'health.failed', outcome: 'timeout' } }));
    const node = { machine: 'node', actorId: 'node', poolId: null } as const;
    const roster = { value: '', context: { roster: { 'pool-0': {} } }, status: 'active' };
    const handoff = (poolId: string, outcome: string) => ({ ...node, snapshot: roster, event: { type: 'handoff.settled', poolId, outcome } });
    metrics.observe(seen('a', 'a', 0, handoff('pool-0', 'accepted')));
    metrics.observe(seen('a', 'a', 0, handoff('named-by-anybody', 'not_ready')));
    metrics.observe(seen('a', 'a', 0, { ...node, event: { type: 'handoff.rejected' } }));
    const call = (number: number, kind: string, result: string) => ({ lastCall: { number, kind, outcome: { result } } });
    const registration = { machine: 'registration', actorId: 'registration', poolId: null } as const;
    metrics.observe(seen('a', 'b', 0, { ...registration, ...context({ lastCall: null }, call(1, 'register', 'accepted')) }));
    metrics.observe(seen('a', 'b', 0, { ...registration, ...context(call(1, 'register', 'accepted'), call(2, 'heartbeat', 'unreachable')) }));
    metrics.observe(seen('a', 'b', 0, { ...registration, ...context(call(2, 'heartbeat', 'unreachable'), call(2, 'heartbeat', 'unreachable')) }));
    const { value } = await scrape();
    expect(value('pool_restarts_total', { pool_id: 'pool-0', reason: 'engine_exited' })).toBe(1);
    expect(value('pool_drain_forced_total', { pool_id: 'pool-0' })).toBe(1);
    expect(value('pool_engine_kills_total', { pool_id: 'pool-0' })).toBe(2);
    expect(value('pool_health_checks_total', { outcome: 'ok' })).toBe(1);
    expect(value('pool_health_checks_total', { outcome: 'timeout' })).toBe(1);
    expect(value('pool_handoff_files_processed_total', { pool_id: 'pool-0', outcome: 'accepted' })).toBe(1);
    expect(value('pool_handoff_files_processed_total', { pool_id: '', outcome: 'rejected' })).toBe(1);
    expect(value('pool_handoff_files_processed_total', { pool_id: '', outcome: 'not_ready' })).toBe(1);
    expect(value('node_registrations_total', { outcome: 'accepted' })).toBe(1);
    expect(value('node_heartbeats_total', { outcome: 'unreachable' })).toBe(1);
  });

  it('count what observers failed to take down, once each', async () => {
    const { failures, scrape } = setUp();
    failures.set('journal', 3);
    await scrape();
    failures.set('journal', 5);
    expect((await scrape()).value('node_observer_failures_total', { observer: 'journal' })).toBe(5);
  });

  it('are fed by live actors', async () => {
    const { metrics, scrape } = setUp();
    const system = startSmallSystem(createInspector([metrics]).inspect);
    const pool = system.add('pool-0');
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'pool.start' });
    await until('ready', () => JSON.stringify(pool.getSnapshot().value).includes('ready'));
    pool.send({ type: 'engine.exited' });
    const { value } = await scrape();
    expect(value('pool_restarts_total', { pool_id: 'pool-0', reason: 'engine_exited' })).toBe(1);
    expect(value('pool_start_duration_seconds_count', { phase: 'total' })).toBe(1);
  });
});

it('every series of a removed pool disappears, and only of that one', async () => {
  const { metrics, views, scrape } = setUp([poolStatus(), poolStatus({ pool_id: 'pool-1' })]);
  for (const poolId of ['pool-0', 'pool-1']) {
    metrics.observe(seen('a', 'a', 0, { poolId, event: { type: 'health.failed', outcome: 'timeout' } }));
    metrics.observe(seen('ready.healthy', 'draining.stopping', 0, { poolId, actorId: `${poolId}#1` }));
    metrics.observe(seen('draining.stopping', 'offline.stopped', 10, { poolId, actorId: `${poolId}#1` }));
  }
  expect((await scrape()).value('pool_health_checks_total', { pool_id: 'pool-0' })).toBe(1);
  views.present = [poolStatus({ pool_id: 'pool-1' })];
  const { series, value } = await scrape();
  expect(series.filter(({ labels }) => labels['pool_id'] === 'pool-0')).toEqual([]);
  expect(value('pool_health_checks_total', { pool_id: 'pool-1' })).toBe(1);
  expect(value('pool_drain_duration_seconds_count', { pool_id: 'pool-1' })).toBe(1);
});

it('a thousand pools fit into a megabyte', async () => {
  const { metrics } = setUp(Array.from({ length: 1_000 }, (_, index) => poolStatus({ pool_id: `pool-${index}` })));
  expect((await metrics.render()).length).toBeLessThan(1024 * 1024);
});

it('label values that would end the label early are escaped', async () => {
  const name = 'a"b\\c\nd';
  const { series } = await setUp([poolStatus({ pool_id: name })]).scrape();
  expect(series.find((one) => one.name === 'pool_ready')?.labels['pool_id']).toBe('a\\"b\\\\c\\nd');
});

it('docs/metrics.md is what the definitions say; if not: node tools/write-metrics-docs.ts', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')).toBe(metricsDocs());
});
