/**
 * A pool made from somebody else's handoff file, in the shapes of our own: a spec with defaults and a run without a process
 * of ours. It is watched and reported, never started or ended.
 */
import { portOf } from '../policies/handoff.ts';
import type { Handoff, PoolSpec, RunRecord } from '../vocabulary.ts';

export const attachedSpec = (handoff: Handoff): PoolSpec => ({
  id: handoff.poolId,
  engine: handoff.engine !== null && /^llama/.test(handoff.engine) ? 'llamacpp' : 'custom',
  model: handoff.modelId,
  devices: handoff.devices,
  slots: handoff.slotsTotal ?? 1,
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
  custom: { health_path: '/health', progress_path: null, in_flight: null, token: null },
  timeouts: { start_stall_ms: 300_000, start_max_ms: null, drain_ms: 60_000, stop_ms: 15_000, vram_release_ms: 10_000 },
  health: { interval_ms: 2_000, timeout_ms: 2_000, progress_timeout_ms: 10_000, failures: 3, canary: false },
  restart: { initial_ms: 1_000, max_ms: 60_000, window_ms: 600_000, max_restarts: 8, stable_ms: 300_000 },
});

export const attachedRun = (handoff: Handoff, spec: PoolSpec, specHash: string): RunRecord => ({
  version: 1,
  poolId: handoff.poolId,
  incarnation: handoff.incarnation ?? handoff.replicaId,
  launcher: 'detached',
  pid: handoff.pid ?? 0,
  startTime: handoff.pidStartTime ?? 0,
  bootId: '',
  unit: null,
  invocationId: null,
  host: URL.canParse(handoff.endpoint) ? new URL(handoff.endpoint).hostname : '',
  port: portOf(handoff.endpoint) ?? 0,
  endpoint: handoff.endpoint,
  engine: spec.engine,
  engineVersion: handoff.engineVersion,
  model: { id: handoff.modelId ?? 'unknown', path: null, bytes: null },
  spec,
  specHash,
  gpus: [],
  reservedBytes: null,
  simulated: false,
  logFile: '',
  exitFifo: null,
  startedAt: 0,
  startedMono: 0,
});
