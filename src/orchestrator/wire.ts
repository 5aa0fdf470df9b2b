/**
 * What orchestratord is told and what it answers: request bodies from our views, schemas of its answers.
 *
 * Pure. This is the one rim where unknown becomes a value, since the protocol requires numbers: unknown counts and bytes are
 * sent as 0, and a ready pool whose slots are unknown has none free. A GPU whose memory is unknown is left out of the
 * capabilities until it is known (a number would be a lie, a missing field a 422 for the whole node); an unknown compute
 * capability is the text `unknown`.
 */
import * as v from 'valibot';
import type { GpuView, NodeView, PoolStatus } from '../machines/views.ts';

/** Who we are to the control plane. */
export interface Identity {
  readonly nodeId: string;
  readonly machineId: string;
  /** URL under which others reach this daemon. */
  readonly address: string;
  readonly version: string;
}

/** A pool that is gone here; the server never forgets one by itself. */
export interface RemovedPool {
  readonly poolId: string;
  readonly engine: string;
}

/** 200 to a registration or a heartbeat. An interval that is no number is as good as none. */
export const answerSchema = v.looseObject({
  success: v.boolean(),
  message: v.optional(v.string()),
  next_heartbeat_ms: v.fallback(v.nullish(v.pipe(v.number(), v.finite())), null),
});

export const registrationBody = (node: NodeView, gpus: readonly GpuView[], pools: readonly PoolStatus[], identity: Identity) => ({
  node_id: identity.nodeId,
  machine_id: identity.machineId,
  address: identity.address,
  pools: pools.map((pool) => pool.pool_id),
  capabilities: {
    gpus: gpus.flatMap((gpu) => {
      const bytes = whole(gpu.memory_total_bytes);
      if (bytes === null) return [];
      return [
        { device_id: gpu.index, name: gpu.name || 'unknown', vram_total_bytes: bytes, compute_capability: gpu.compute_capability ?? 'unknown' },
      ];
    }),
    cpu_cores: node.host.cpu_cores,
    ram_total_bytes: node.host.ram_total_bytes,
  },
  version: identity.version,
});

/** `at`: now, milliseconds since the epoch. */
export const heartbeatBody = (pools: readonly PoolStatus[], removed: readonly RemovedPool[], sequence: number, at: number) => ({
  timestamp: new Date(at).toISOString(),
  pools: [...pools.map((pool) => poolBody(pool, sequence, at)), ...removed.map((pool) => removedBody(pool, sequence))],
});

export type HeartbeatBody = ReturnType<typeof heartbeatBody>;

const poolBody = (pool: PoolStatus, sequence: number, at: number) => {
  const total = whole(pool.slots_total) ?? 0;
  return {
    pool_id: pool.pool_id,
    ready: pool.ready,
    draining: pool.draining,
    slots_free: pool.ready ? Math.min(whole(pool.slots_free) ?? 0, total) : 0,
    slots_total: total,
    vram_free_bytes: whole(pool.vram_free_bytes) ?? 0,
    engine: pool.engine,
    vram_total_bytes: pool.vram_total_bytes,
    models_available: pool.models_available,
    state: pool.state as string,
    incarnation: pool.incarnation,
    /** A heartbeat must not hide that nobody looks after the engine any more. */
    last_probe_age_ms: pool.last_probe_at === null ? null : Math.max(0, at - Date.parse(pool.last_probe_at)),
    sequence,
  };
};

const removedBody = ({ poolId, engine }: RemovedPool, sequence: number): ReturnType<typeof poolBody> => ({
  pool_id: poolId,
  ready: false,
  draining: false,
  slots_free: 0,
  slots_total: 0,
  vram_free_bytes: 0,
  engine,
  vram_total_bytes: null,
  models_available: [],
  state: 'removed',
  incarnation: null,
  last_probe_age_ms: null,
  sequence,
});

/** A non-negative integer, as the protocol requires; anything else is not known. */
const whole = (value: number | null): number | null => (value !== null && Number.isSafeInteger(value) && value >= 0 ? value : null);
