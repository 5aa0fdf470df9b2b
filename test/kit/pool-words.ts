/** Plausible data for tests of the pool: what is declared, recorded, proven and told. */

import { attachedSpec } from '../../src/machines/pool/attached.ts';
import type { PoolInput } from '../../src/machines/pool/context.ts';
import type { ReasonCode } from '../../src/machines/reasons.ts';
import type {
  Cause,
  EnginePresent,
  GpuRef,
  Handoff,
  Inventory,
  Load,
  ModelPresent,
  PoolMemory,
  PoolSpec,
  Proof,
  RunRecord,
} from '../../src/machines/vocabulary.ts';

export const spec: PoolSpec = {
  id: 'pool-0',
  engine: 'llamacpp',
  model: '/models/tiny.gguf',
  devices: [0],
  slots: 2,
  ctx: null,
  host: '127.0.0.1',
  api_key_file: null,
  quant: null,
  tensor_split: null,
  cpu_affinity: null,
  preload: true,
  env: {},
  flags: [],
  ports: null,
  provisioning: { mode: 'external', executable: null },
  model_source: null,
  custom: null,
  timeouts: { start_stall_ms: 300_000, start_max_ms: null, drain_ms: 60_000, stop_ms: 15_000, vram_release_ms: 10_000 },
  health: { interval_ms: 2_000, timeout_ms: 2_000, progress_timeout_ms: 10_000, failures: 3, canary: false },
  restart: { initial_ms: 1_000, max_ms: 60_000, window_ms: 600_000, max_restarts: 8, stable_ms: 300_000 },
};

export const gpus: readonly GpuRef[] = [{ index: 0, uuid: 'GPU-1' }];
export const engine: EnginePresent = { executable: '/opt/llama-server', version: 'b1', knownFlags: ['--port'] };
export const model: ModelPresent = { id: 'tiny', path: '/models/tiny.gguf', bytes: 1_000 };

export const run: RunRecord = {
  version: 1,
  poolId: 'pool-0',
  incarnation: 'inc-1',
  launcher: 'detached',
  pid: 4_242,
  startTime: 77,
  bootId: 'boot',
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
  startedMono: 1_000_000,
};

export const proof: Proof = {
  residency: 'proven',
  evidence: ['offloaded 33/33 layers'],
  slotsTotal: 2,
  engineVersion: 'b1',
  modelsAvailable: ['tiny'],
  firstTokenMs: 12,
};

export const inventory: Inventory = { source: 'nvidia-smi', driverVersion: '570', cudaVersion: '12.8', gpus: [], at: 1, mono: 1 };
export const load = (inFlight: number | null, slotsFree: number | null = inFlight === null ? null : 2 - inFlight): Load => ({
  slotsTotal: 2,
  slotsFree,
  inFlight,
});
export const because = (code: ReasonCode): Cause => ({ code, message: `because of ${code}` });

export const handoff: Handoff = {
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
};
/** Of an engine that somebody else started. */
export const foreignHandoff: Handoff = { ...handoff, incarnation: null, pid: null, pidStartTime: null };

export const poolInput: PoolInput = {
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

export const attachedInput: Partial<PoolInput> = {
  origin: 'attached',
  spec: attachedSpec(foreignHandoff),
  specHash: 'attached',
  gpus: null,
  handoff: foreignHandoff,
};

/** What an earlier daemon left behind of a pool whose engine was at `phase`. */
export const recordedInput = (phase: PoolMemory['phase'], memory: Partial<PoolMemory> = {}): Partial<PoolInput> => ({
  run,
  memory: {
    version: 1,
    poolId: 'pool-0',
    wanted: 'up',
    restart: { count: 4, attempt: 0, startsMono: [], opened: 0 },
    phase,
    proof: phase === 'ready' || phase === 'emptying' ? proof : null,
    drain: null,
    retry: null,
    ...memory,
  },
});
