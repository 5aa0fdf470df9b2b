/** The daemon's own charts, live and folded: both must come to the same states and contexts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createActor, fromCallback, fromPromise, type InspectionEvent, SimulatedClock, setup } from 'xstate';
import type { PoolEvent } from '../../src/machines/events.ts';
import { type Failure, poolActors, type StopOutput } from '../../src/machines/pool/actors.ts';
import type { PoolInput } from '../../src/machines/pool/context.ts';
import { poolMachine } from '../../src/machines/pool/machine.ts';
import { registrationMachine } from '../../src/machines/registration/machine.ts';
import { replay } from '../../src/machines/replay.ts';
import type { EnginePresent, GpuRef, Inventory, ModelPresent, PoolSpec, Proof, RunRecord, Stamp } from '../../src/machines/vocabulary.ts';
import { type Journal, openJournal } from '../../src/observe/journal.ts';
import { contextDigest } from '../../src/observe/journal-lines.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createInspector } from '../../src/observe/observe.ts';
import { parseLine } from '../../src/observe/read-lines.ts';
import { readPrometheus } from '../kit/prometheus-text.ts';
import { accepted, driveRegistration, settled, unreachable } from '../kit/registration-driver.ts';
import { until } from '../kit/until.ts';
import { nodeView, poolStatus } from '../kit/views.ts';

let stateDir: string;
let journal: Journal;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'real-'));
  journal = openJournal({ stateDir, nodeId: 'n', version: '0', bootId: 'b' });
});
afterEach(() => {
  journal.close();
  rmSync(stateDir, { recursive: true });
});

const fold = () =>
  replay(
    readFileSync(join(stateDir, 'journal', 'events.jsonl'), 'utf8')
      .split('\n')
      .map(parseLine),
    {
      machines: { pool: poolMachine, registration: registrationMachine },
      digest: contextDigest,
    },
  );

let ticks = 0;
const stamp = (): Stamp => {
  ticks += 1;
  return { at: 1_700_000_000_000 + ticks, mono: ticks };
};

const spec: PoolSpec = {
  id: 'pool-0',
  engine: 'llamacpp',
  model: '/models/tiny.gguf',
  devices: [0],
  slots: 2,
  ctx: null,
  host: '127.0.0.1',
  api_key_file: '/etc/pool.key',
  quant: null,
  tensor_split: null,
  cpu_affinity: null,
  preload: true,
  env: { HF_TOKEN: 'hf_secret' },
  flags: [],
  ports: null,
  provisioning: { mode: 'external', executable: null },
  model_source: null,
  custom: null,
  timeouts: { start_stall_ms: 300_000, start_max_ms: null, drain_ms: 60_000, stop_ms: 15_000, vram_release_ms: 10_000 },
  health: { interval_ms: 2_000, timeout_ms: 2_000, progress_timeout_ms: 10_000, failures: 3, canary: false },
  restart: { initial_ms: 1_000, max_ms: 60_000, window_ms: 600_000, max_restarts: 8, stable_ms: 300_000 },
};
const gpus: readonly GpuRef[] = [{ index: 0, uuid: 'GPU-1' }];
const input: PoolInput = {
  poolId: 'pool-0',
  origin: 'file',
  spec,
  specHash: 'h1',
  gpus,
  gpuCause: null,
  run: null,
  memory: null,
  handoff: null,
  orphaned: false,
  beside: null,
  reloading: null,
};
const engine: EnginePresent = { executable: '/opt/llama-server', version: 'b1', knownFlags: ['--api-key', '--port'] };
const model: ModelPresent = { id: 'tiny', path: '/models/tiny.gguf', bytes: 1_000 };
const run: RunRecord = {
  version: 1,
  poolId: 'pool-0',
  incarnation: 'inc-1',
  launcher: 'detached',
  pid: 4_242,
  startTime: 1,
  bootId: 'b',
  unit: null,
  invocationId: null,
  host: '127.0.0.1',
  port: 18_080,
  endpoint: 'http://127.0.0.1:18080',
  engine: 'llamacpp',
  engineVersion: 'b1',
  model,
  spec,
  specHash: 'h1',
  gpus,
  reservedBytes: 1_000,
  simulated: false,
  logFile: '/tmp/log',
  exitFifo: null,
  startedAt: 1,
  startedMono: 1,
};
const proof: Proof = {
  residency: 'proven',
  evidence: ['all in VRAM'],
  slotsTotal: 2,
  engineVersion: 'b1',
  modelsAvailable: ['tiny'],
  firstTokenMs: 12,
};
const inventory: Inventory = { source: 'nvidia-smi', driverVersion: '570', cudaVersion: '12.8', gpus: [], ...stamp() };
const load = { slotsTotal: 2, slotsFree: 2, inFlight: 0 };

/** The real chart; effects that succeed at once, except that `spawns` says how often spawning fails first. */
const livePool = (inspect: (event: InspectionEvent) => void, failedSpawns = 0) => {
  let spawns = 0;
  const quiet = fromCallback<{ type: 'watch.none' }, { readonly run: RunRecord }>(() => {});
  const pool = poolMachine.provide({
    actors: {
      ...poolActors,
      provisionEngine: fromPromise(async () => ({ ...engine, ...stamp() })),
      provisionModel: fromPromise(async () => ({ ...model, ...stamp() })),
      measureGpus: fromPromise(
        async (): Promise<{ inventory: Inventory; needBytes: number | null } & Stamp> => ({ inventory, needBytes: 1_000, ...stamp() }),
      ),
      spawnEngine: fromPromise(async () => {
        spawns += 1;
        if (spawns <= failedSpawns) throw { cause: { code: 'port_conflict', message: 'port 18080 is taken' }, ...stamp() } satisfies Failure;
        return { run, ...stamp() };
      }),
      announceHandoff: fromPromise(async () => stamp()),
      proveReadiness: fromPromise(async () => ({ ...proof, ...stamp() })),
      stopEngine: fromPromise(async (): Promise<StopOutput> => ({ survivors: [], killed: false, exit: null, ...stamp() })),
      awaitRelease: fromPromise(
        async (): Promise<{ released: boolean | null; heldBytes: number | null } & Stamp> => ({ released: true, heldBytes: 0, ...stamp() }),
      ),
      watchEngine: quiet,
      watchStart: fromCallback(() => {}),
      probeHealth: fromCallback(() => {}),
      keepMemory: fromCallback(() => {}),
    },
  });
  const clock = new SimulatedClock();
  const parent = setup({ actors: { pool } }).createMachine({ id: 'parent', invoke: { id: 'pool-0#1', src: 'pool', input } });
  const actor = createActor(parent, { clock, inspect }).start().getSnapshot().children['pool-0#1'];
  if (actor === undefined) throw new Error('the parent invoked no pool');
  const path = (): string => JSON.stringify(actor.getSnapshot().value);
  return {
    clock,
    actor,
    path,
    send: (event: PoolEvent) => actor.send(event),
    reach: (what: string) => until(`${what}, is ${path()}`, () => path().includes(what)),
  };
};

type LivePool = ReturnType<typeof livePool>;
const start = async ({ send, reach }: LivePool): Promise<void> => {
  await reach('admitting');
  send({ type: 'admission.granted', gpus, reservedBytes: 1_000, ...stamp() });
  await reach('loading');
  send({ type: 'health.passed', outcome: 'ok', load, ...stamp() });
  await reach('announcing');
  send({
    type: 'handoff.appeared',
    handoff: {
      file: '/run/pool-0-r0.json',
      poolId: 'pool-0',
      replicaId: 'r0',
      engine: 'llamacpp',
      engineVersion: 'b1',
      endpoint: run.endpoint,
      devices: [0],
      slotsTotal: 2,
      ready: true,
      modelId: 'tiny',
      pid: run.pid,
      pidStartTime: run.startTime,
      incarnation: run.incarnation,
    },
    ...stamp(),
  });
  await reach('ready');
};

describe('a pool of the real chart', () => {
  it('started, reloaded, crashed and drained is folded to the same states and contexts', async () => {
    const pool = livePool(createInspector([journal]).inspect);
    await start(pool);
    pool.send({ type: 'engine.sampled', outcome: 'ok', load, vramUsedBytes: 900, ...stamp() });
    pool.send({ type: 'pool.reload', spec: { ...spec, slots: 4 }, specHash: 'h2', operationId: 'op-1', ...stamp() });
    pool.clock.increment(2_000);
    pool.send({ type: 'engine.loadChanged', load, ...stamp() });
    await start(pool);
    pool.send({ type: 'engine.gone', exit: { code: 1, signal: null }, ...stamp() });
    pool.send({
      type: 'engine.exited',
      exit: { code: 1, signal: null },
      cause: { code: 'engine_exited', message: 'code 1' },
      tail: ['oh'],
      ...stamp(),
    });
    await pool.reach('backingOff');
    pool.clock.increment(2_000);
    await start(pool);
    pool.send({ type: 'pool.drain', deadlineMs: 5_000, ...stamp() });
    pool.clock.increment(2_000);
    pool.clock.increment(5_000);
    await pool.reach('stopped');
    const { divergence, reached, passedOver } = fold();
    expect(divergence).toBeNull();
    expect(passedOver).toBe(0);
    const folded = reached.get('pool-0#1');
    expect(folded?.value).toEqual(pool.actor.getSnapshot().value);
    expect(contextDigest(folded?.context)).toBe(contextDigest(pool.actor.getSnapshot().context));
    const records = await journal.poolEvents('pool-0', { limit: 100, before: null });
    expect(records.filter(({ outcome }) => outcome !== null).map(({ outcome, to }) => `${outcome} ${to}`)).toEqual(['reloaded ready.healthy']);
    expect(records.find(({ to }) => to === 'offline.backingOff')?.reason?.code).toBe('engine_exited');
  });

  it('whose spawn fails is folded through its retry', async () => {
    const pool = livePool(createInspector([journal]).inspect, 1);
    await pool.reach('admitting');
    pool.send({ type: 'admission.granted', gpus, reservedBytes: 1_000, ...stamp() });
    await pool.reach('backingOff');
    pool.clock.increment(2_000);
    await start(pool);
    expect(fold().divergence).toBeNull();
  });

  it('fills the metrics', async () => {
    const metrics = createMetrics({ nodeId: 'n', views: { pools: () => [poolStatus()], gpus: () => [], node: () => nodeView() } });
    const pool = livePool(createInspector([metrics]).inspect);
    await start(pool);
    pool.send({ type: 'engine.gone', exit: { code: 1, signal: null }, ...stamp() });
    pool.send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: { code: 'engine_exited', message: 'code 1' }, tail: [], ...stamp() });
    await pool.reach('backingOff');
    pool.clock.increment(2_000);
    await start(pool);
    pool.send({ type: 'pool.drain', deadlineMs: 5_000, ...stamp() });
    pool.clock.increment(2_000);
    pool.clock.increment(5_000);
    await pool.reach('stopped');
    const { value } = readPrometheus(await metrics.render());
    for (const phase of ['provision', 'admit', 'spawn', 'load', 'prove', 'total'])
      expect(value('pool_start_duration_seconds_count', { pool_id: 'pool-0', phase }), phase).toBe(2);
    expect(value('pool_restarts_total', { reason: 'engine_exited' })).toBe(1);
    expect(value('pool_drain_forced_total')).toBe(1);
    expect(value('pool_drain_duration_seconds_count')).toBe(2);
    expect(value('pool_vram_release_seconds_count')).toBe(2);
  });
});

it('a registration that backs off and comes back is folded to the same states, and its calls are counted', async () => {
  const metrics = createMetrics({ nodeId: 'n', views: { pools: () => [], gpus: () => [], node: () => nodeView() } });
  const driver = driveRegistration(createInspector([journal, metrics]).inspect);
  await settled(driver);
  driver.pass(10_500);
  await driver.open('heartbeat').answer(unreachable);
  driver.pass(2_000);
  await driver.open('heartbeat').answer(accepted());
  const { divergence, reached, passedOver } = fold();
  expect(divergence).toBeNull();
  expect(passedOver).toBe(0);
  expect(reached.get('registration')?.value).toEqual(driver.snapshot().value);
  const { value } = readPrometheus(await metrics.render());
  expect(value('node_registrations_total', { outcome: 'accepted' })).toBe(1);
  expect(value('node_heartbeats_total', { outcome: 'accepted' })).toBe(2);
  expect(value('node_heartbeats_total', { outcome: 'unreachable' })).toBe(1);
});
