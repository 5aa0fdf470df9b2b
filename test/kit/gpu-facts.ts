/** Cards, inventories, specs and run records for tests, with only what the test is about spelled out. */
import { stamp } from '../../src/clock.ts';
import type { GpuDeep, GpuFact, Inventory, PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';

export const gib = 1024 ** 3;
export const mib = 1024 ** 2;

export const card = (index: number, facts: Partial<GpuFact> = {}): GpuFact => ({
  index,
  uuid: `GPU-${index}`,
  pciAddress: null,
  name: 'NVIDIA Test',
  memoryTotalBytes: 24 * gib,
  memoryUsedBytes: 0,
  memoryFreeBytes: 24 * gib,
  computeCapability: '8.9',
  temperatureC: null,
  powerWatts: null,
  utilisationPercent: null,
  recoveryAction: null,
  processes: [],
  ...facts,
});

export const deep = (rows: Partial<GpuDeep['remappedRows']> = {}): GpuDeep => ({
  ...stamp(),
  persistenceMode: true,
  powerLimitWatts: 350,
  graphicsClockMhz: 1_410,
  memoryClockMhz: 9_751,
  ecc: { enabled: true, corrected: 2, uncorrected: 0, uncorrectedEver: 1 },
  remappedRows: { corrected: 0, uncorrected: 1, pending: false, failed: false, ...rows },
  retiredPages: { count: null, pending: null },
});

export const inventoryOf = (...gpus: readonly GpuFact[]): Inventory => ({
  ...stamp(),
  source: 'nvidia-smi',
  driverVersion: '590.48.01',
  cudaVersion: '13.1',
  gpus,
});

export const gpuSpec = (facts: Partial<PoolSpec> = {}): PoolSpec => ({
  id: 'pool-0',
  engine: 'llamacpp',
  model: '/models/tiny.gguf',
  devices: [0],
  slots: 1,
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
  timeouts: { start_stall_ms: 300_000, start_max_ms: null, drain_ms: 60_000, stop_ms: 15_000, vram_release_ms: 2_000 },
  health: { interval_ms: 2_000, timeout_ms: 2_000, progress_timeout_ms: 10_000, failures: 3, canary: false },
  restart: { initial_ms: 1_000, max_ms: 60_000, window_ms: 600_000, max_restarts: 8, stable_ms: 300_000 },
  ...facts,
});

export const gpuRun = (facts: Partial<RunRecord> = {}): RunRecord => ({
  version: 1,
  poolId: 'pool-0',
  incarnation: 'one',
  launcher: 'detached',
  pid: 4711,
  startTime: 1,
  bootId: 'boot',
  unit: null,
  invocationId: null,
  host: '127.0.0.1',
  port: 18080,
  endpoint: 'http://127.0.0.1:18080',
  engine: 'llamacpp',
  engineVersion: null,
  model: { id: 'tiny', path: null, bytes: null },
  spec: gpuSpec(),
  specHash: 'hash',
  gpus: [{ index: 0, uuid: 'GPU-0' }],
  reservedBytes: 8 * gib,
  simulated: false,
  logFile: '/dev/null',
  exitFifo: null,
  startedAt: 0,
  startedMono: 0,
  ...facts,
});
