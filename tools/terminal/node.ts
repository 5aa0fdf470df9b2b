/** A node to be drawn: its cards and pools. Times are such that what is shown of them does not depend on when it is drawn. */
import type { GpuView, PoolStatus } from '../../src/machines/views.ts';
import { gpuView, poolStatus } from '../../test/kit/views.ts';

export const gib = 1024 ** 3;
export const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
/** What was a moment ago stays so, however long the drawing takes. */
const justNow = (): string => ago(-60);

export const cards = (): readonly GpuView[] =>
  [
    { uuid: 'GPU-8f1c2d3e', used: 19.6, reserved: 19.8, temperature: 64, busy: 71, pools: ['chat', 'draft'] },
    { uuid: 'GPU-c04b7a95', used: 0.4, reserved: 0, temperature: 41, busy: 0, pools: ['code'] },
  ].map(({ uuid, used, reserved, temperature, busy, pools }, index) =>
    gpuView({
      index,
      uuid,
      memory_total_bytes: 24 * gib,
      memory_used_bytes: used * gib,
      memory_free_bytes: (24 - used) * gib,
      memory_reserved_bytes: reserved * gib,
      temperature_c: temperature,
      utilisation_percent: busy,
      pools,
      seen_at: justNow(),
    }),
  );

export const pools = (): readonly PoolStatus[] => [
  poolStatus({
    pool_id: 'chat',
    since: ago(190),
    model: 'qwen2.5-14b-q4',
    gpus: [{ index: 0, uuid: 'GPU-8f1c2d3e' }],
    vram_total_bytes: 24 * gib,
    vram_used_bytes: 12.6 * gib,
    vram_free_bytes: 4.4 * gib,
    last_probe_at: justNow(),
  }),
  poolStatus({
    pool_id: 'code',
    state: 'provisioning',
    substate: 'engine.present,model.fetching',
    since: ago(4.5),
    live: false,
    ready: false,
    model: 'deepseek-coder-6.7b-q8',
    endpoint: null,
    gpus: [{ index: 1, uuid: 'GPU-c04b7a95' }],
    device_mask: '1',
    slots_free: null,
    slots_total: 2,
    active_leases: null,
    vram_used_bytes: null,
    progress: { step: 'model.fetching', done_bytes: 4.1 * gib, total_bytes: 6.7 * gib, bytes_per_second: 48 * 1024 ** 2 },
  }),
  poolStatus({
    pool_id: 'draft',
    state: 'offline',
    substate: 'backingOff',
    since: ago(1.5),
    live: false,
    ready: false,
    model: 'qwen2.5-0.5b-q8',
    endpoint: null,
    gpus: [{ index: 0, uuid: 'GPU-8f1c2d3e' }],
    slots_free: null,
    active_leases: null,
    vram_total_bytes: 24 * gib,
    vram_used_bytes: null,
    vram_free_bytes: 4.4 * gib,
    residency: 'unproven',
    restarts: 3,
    reason: {
      code: 'engine_exited',
      message: 'the engine ended with code 1; it is started again',
      retryable: true,
      attempt: 3,
      next_retry_at: '2026-01-01T12:00:08.000Z',
    },
    last_error: {
      code: 'engine_exited',
      message: 'the engine ended with code 1',
      at: '2026-01-01T12:00:00.000Z',
      exit: { code: 1, signal: null },
      tail: ["error: invalid argument: --threads 'eight'", 'usage: llama-server [options]'],
    },
    last_probe_at: null,
  }),
];
