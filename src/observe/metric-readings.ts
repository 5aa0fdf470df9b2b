/**
 * The gauges: what each says of a pool, a card or the node, read from their views at the moment of a scrape. Pure.
 *
 * Null is unknown and has no series.
 */
import type { GpuView, NodeView, PoolStatus } from '../machines/views.ts';
import type { PoolState } from '../machines/vocabulary.ts';
import type { NameOf } from './metric-definitions.ts';

export interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Views {
  pools(): readonly PoolStatus[];
  gpus(): readonly GpuView[];
  node(): NodeView;
}

type Readings = ReadonlyMap<NameOf<'gauge'>, readonly Reading[]>;

const ofPool: readonly (readonly [NameOf<'gauge'>, (pool: PoolStatus) => number | null])[] = [
  ['pool_slots_total', (pool) => pool.slots_total],
  ['pool_slots_free', (pool) => pool.slots_free],
  ['pool_vram_total_bytes', (pool) => pool.vram_total_bytes],
  ['pool_vram_used_bytes', (pool) => pool.vram_used_bytes],
  ['pool_vram_free_bytes', (pool) => pool.vram_free_bytes],
  ['pool_ready', (pool) => Number(pool.ready)],
  ['pool_wanted', (pool) => Number(pool.wanted === 'up')],
  ['pool_live', (pool) => Number(pool.live)],
  ['pool_requests_running', (pool) => pool.active_leases],
];

type Progress = NonNullable<PoolStatus['progress']>;

const ofProgress: readonly (readonly [NameOf<'gauge'>, (progress: Progress) => number | null])[] = [
  ['pool_provision_done_bytes', (progress) => progress.done_bytes],
  ['pool_provision_total_bytes', (progress) => progress.total_bytes],
  ['pool_provision_bytes_per_second', (progress) => progress.bytes_per_second],
];
const total = (one: number | null, other: number | null): number | null => (one === null || other === null ? null : one + other);

const ofGpu: readonly (readonly [NameOf<'gauge'>, (gpu: GpuView) => number | null])[] = [
  ['gpu_memory_total_bytes', (gpu) => gpu.memory_total_bytes],
  ['gpu_memory_used_bytes', (gpu) => gpu.memory_used_bytes],
  ['gpu_memory_free_bytes', (gpu) => gpu.memory_free_bytes],
  ['gpu_memory_reserved_bytes', (gpu) => gpu.memory_reserved_bytes],
  ['gpu_temperature_celsius', (gpu) => gpu.temperature_c],
  ['gpu_power_watts', (gpu) => gpu.power_watts],
  ['gpu_utilisation_ratio', (gpu) => (gpu.utilisation_percent === null ? null : gpu.utilisation_percent / 100)],
  ['gpu_quarantined', (gpu) => Number(gpu.quarantine !== null)],
  ['gpu_ecc_corrected_errors', (gpu) => gpu.details?.ecc.corrected ?? null],
  ['gpu_ecc_uncorrected_errors', (gpu) => gpu.details?.ecc.uncorrected ?? null],
  ['gpu_remapped_rows', (gpu) => total(gpu.details?.remapped_rows.corrected ?? null, gpu.details?.remapped_rows.uncorrected ?? null)],
  ['gpu_remap_pending', (gpu) => (gpu.details?.remapped_rows.pending == null ? null : Number(gpu.details.remapped_rows.pending))],
  ['gpu_graphics_clock_hertz', (gpu) => (gpu.details?.graphics_clock_mhz == null ? null : gpu.details.graphics_clock_mhz * 1e6)],
  ['gpu_power_limit_watts', (gpu) => gpu.details?.power_limit_watts ?? null],
  ['gpu_probe_age_seconds', (gpu) => gpu.age_ms / 1000],
  ['gpu_stale', (gpu) => Number(gpu.stale)],
];

const poolStates = ['uninitialized', 'provisioning', 'starting', 'ready', 'draining', 'offline'] as const satisfies readonly PoolState[];
const healths = ['healthy', 'suspect', 'unhealthy', 'lost', 'quarantined', 'recovering'] as const satisfies readonly GpuView['health'][];
const lifecycles = ['booting', 'adopting', 'serving', 'draining', 'stopped'] as const satisfies readonly NodeView['lifecycle'][];
const gpuKnowledge = ['probing', 'known', 'blind'] as const satisfies readonly NodeView['gpus_state'][];
const registrations = [
  'disabled',
  'unregistered',
  'registering',
  'registered',
  'backingOff',
  'rejected',
  'deregistering',
  'ended',
] as const satisfies readonly NodeView['registration']['state'][];

export const readings = (views: Views): Readings => {
  const [pools, gpus, node] = [views.pools(), views.gpus(), views.node()];
  return new Map<NameOf<'gauge'>, readonly Reading[]>([
    ...ofPool.map(([name, read]) => [name, known(pools, read, (pool) => ({ pool_id: pool.pool_id }))] as const),
    ...ofProgress.map(
      ([name, read]) =>
        [
          name,
          known(
            pools.filter(({ progress }) => progress !== null),
            ({ progress }) => progress && read(progress),
            ({ pool_id, progress }) => ({ pool_id, step: progress?.step ?? '' }),
          ),
        ] as const,
    ),
    ...ofGpu.map(([name, read]) => [name, known(gpus, read, (gpu) => ({ gpu_uuid: gpu.uuid, gpu_index: String(gpu.index) }))] as const),
    ['pool_state', pools.flatMap((pool) => oneOf(poolStates, pool.state, { pool_id: pool.pool_id }))],
    [
      'pool_reason',
      known(
        pools.filter(({ reason }) => reason !== null),
        () => 1,
        ({ pool_id, reason }) => ({ pool_id, code: reason?.code ?? '', retried: String(reason?.retryable ?? '') }),
      ),
    ],
    ['gpu_health', gpus.flatMap((gpu) => oneOf(healths, gpu.health, { gpu_uuid: gpu.uuid, gpu_index: String(gpu.index) }))],
    ['node_lifecycle_state', oneOf(lifecycles, node.lifecycle)],
    ['node_gpus_state', oneOf(gpuKnowledge, node.gpus_state)],
    ['node_registration_state', oneOf(registrations, node.registration.state)],
    ['pool_managerd_build_info', [{ labels: { version: node.version }, value: 1 }]],
  ]);
};

const known = <View>(
  views: readonly View[],
  read: (view: View) => number | null,
  labels: (view: View) => Readonly<Record<string, string>>,
): readonly Reading[] =>
  views.flatMap((view) => {
    const value = read(view);
    return value === null || !Number.isFinite(value) ? [] : [{ labels: labels(view), value }];
  });

const oneOf = (states: readonly string[], present: string, labels: Readonly<Record<string, string>> = {}): readonly Reading[] =>
  states.map((state) => ({ labels: { ...labels, state }, value: Number(state === present) }));
