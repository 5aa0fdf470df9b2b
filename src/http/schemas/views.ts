/**
 * The answers of the API as schemas: what the OpenAPI document says and what tests check real answers against. At run time
 * nothing is validated by them; a test holds them equal to the types in `machines/views.ts`.
 */
import * as v from 'valibot';
import { reasonCodes } from '../../machines/reasons.ts';

const text = v.string();
const time = v.pipe(v.string(), v.isoTimestamp());
const maybe = <S extends v.GenericSchema>(schema: S) => v.nullable(schema);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const number = v.number();
const reasonCode = v.pipe(v.picklist(reasonCodes), v.metadata({ ref: 'ReasonCode' }));

export const poolStatusEntries = {
  pool_id: text,
  node_id: text,
  origin: v.picklist(['file', 'api', 'attached']),
  state: v.picklist(['uninitialized', 'provisioning', 'starting', 'ready', 'draining', 'offline']),
  substate: text,
  since: time,
  live: v.boolean(),
  ready: v.boolean(),
  draining: v.boolean(),
  wanted: v.picklist(['up', 'down']),
  degraded: v.array(text),
  reason: maybe(v.strictObject({ code: reasonCode, message: text, retryable: v.boolean(), attempt: count, next_retry_at: maybe(time) })),
  engine: text,
  engine_version: maybe(text),
  model: maybe(text),
  pid: maybe(count),
  endpoint: maybe(text),
  gpu_device: maybe(count),
  gpus: v.array(v.strictObject({ index: count, uuid: text })),
  device_mask: text,
  slots_total: maybe(count),
  slots_free: maybe(count),
  active_leases: maybe(count),
  vram_total_bytes: maybe(count),
  vram_used_bytes: maybe(count),
  vram_free_bytes: maybe(count),
  residency: v.picklist(['proven', 'unproven', 'violated', 'simulated']),
  models_available: v.array(text),
  progress: maybe(v.strictObject({ step: text, done_bytes: maybe(count), total_bytes: maybe(count), bytes_per_second: maybe(count) })),
  restarts: count,
  incarnation: maybe(text),
  last_error: maybe(
    v.strictObject({
      code: reasonCode,
      message: text,
      at: time,
      exit: maybe(v.strictObject({ code: maybe(v.pipe(v.number(), v.integer())), signal: maybe(text) })),
      tail: v.array(text),
    }),
  ),
  last_probe_at: maybe(time),
  probe_error: maybe(v.strictObject({ code: reasonCode, message: text })),
  drain_deadline_at: maybe(time),
};

export const poolStatusSchema = v.pipe(v.strictObject(poolStatusEntries), v.metadata({ ref: 'PoolStatus' }));

export const poolsSchema = v.pipe(v.strictObject({ node_id: text, pools: v.array(poolStatusSchema), count }), v.metadata({ ref: 'Pools' }));

export const specSchema = v.pipe(
  v.strictObject({
    pool_id: text,
    spec: v.record(text, v.unknown()),
    spec_hash: text,
    filed: maybe(v.record(text, v.unknown())),
    reserved_bytes: maybe(count),
  }),
  v.metadata({ ref: 'DeclaredSpec' }),
);

export const operationSchema = v.pipe(v.strictObject({ ...poolStatusEntries, operation_id: maybe(text) }), v.metadata({ ref: 'Operation' }));

export const gpuSchema = v.pipe(
  v.strictObject({
    index: count,
    uuid: text,
    pci_address: maybe(text),
    name: text,
    compute_capability: maybe(text),
    driver_version: maybe(text),
    memory_total_bytes: maybe(count),
    memory_used_bytes: maybe(count),
    memory_free_bytes: maybe(count),
    memory_reserved_bytes: count,
    cpu_affinity: maybe(text),
    numa_node: maybe(count),
    temperature_c: maybe(number),
    power_watts: maybe(number),
    utilisation_percent: maybe(number),
    recovery_action: maybe(text),
    health: v.picklist(['healthy', 'suspect', 'unhealthy', 'lost', 'quarantined', 'recovering']),
    health_reason: maybe(v.strictObject({ code: reasonCode, message: text })),
    recommended_action: maybe(v.picklist(['reset', 'reboot', 'drain_p2p', 'drain_and_reset', 'other', 'later'])),
    xids: count,
    last_xid: maybe(v.strictObject({ code: count, message: text, at: time })),
    quarantine: maybe(v.strictObject({ pool_id: text, code: reasonCode, message: text })),
    processes: v.array(
      v.strictObject({ pid: count, usedBytes: maybe(count), poolId: v.optional(maybe(text)), gpuInstanceId: v.optional(maybe(count)) }),
    ),
    pools: v.array(text),
    details: maybe(
      v.strictObject({
        persistence_mode: maybe(v.boolean()),
        power_limit_watts: maybe(number),
        graphics_clock_mhz: maybe(number),
        memory_clock_mhz: maybe(number),
        ecc: v.strictObject({ enabled: maybe(v.boolean()), corrected: maybe(count), uncorrected: maybe(count), uncorrected_ever: maybe(count) }),
        remapped_rows: v.strictObject({
          corrected: maybe(count),
          uncorrected: maybe(count),
          pending: maybe(v.boolean()),
          failed: maybe(v.boolean()),
        }),
        retired_pages: v.strictObject({ count: maybe(count), pending: maybe(v.boolean()) }),
        seen_at: time,
      }),
    ),
    mig: maybe(
      v.array(
        v.strictObject({
          uuid: text,
          profile: maybe(text),
          gpu_instance_id: count,
          compute_instance_id: count,
          memory_total_bytes: maybe(count),
          memory_used_bytes: maybe(count),
          memory_free_bytes: maybe(count),
        }),
      ),
    ),
    source: v.picklist(['nvml', 'nvidia-smi', 'simulated']),
    simulated: v.boolean(),
    stale: v.boolean(),
    seen_at: time,
    age_ms: count,
  }),
  v.metadata({ ref: 'Gpu' }),
);

export const gpusSchema = v.pipe(v.strictObject({ node_id: text, gpus: v.array(gpuSchema), count }), v.metadata({ ref: 'Gpus' }));

export const nodeSchema = v.pipe(
  v.strictObject({
    node_id: text,
    machine_id: text,
    version: text,
    lifecycle: v.picklist(['booting', 'adopting', 'serving', 'draining', 'stopped']),
    gpus_state: v.picklist(['probing', 'known', 'blind']),
    gpu_source: maybe(v.picklist(['nvml', 'nvidia-smi', 'simulated'])),
    simulated: v.boolean(),
    driver_version: maybe(text),
    cuda_version: maybe(text),
    gpu_error: maybe(text),
    degraded: v.array(text),
    registration: v.strictObject({
      state: v.picklist(['disabled', 'unregistered', 'registering', 'registered', 'backingOff', 'rejected', 'deregistering', 'ended']),
      orchestrator_url: maybe(text),
      attempt: count,
      heartbeat_sequence: count,
      heartbeat_interval_ms: count,
      last_success_at: maybe(time),
      last_error: maybe(text),
    }),
    pools: v.array(text),
    host: v.strictObject({ hostname: text, cpu_cores: count, ram_total_bytes: count, os: text, kernel: text, boot_id: text }),
  }),
  v.metadata({ ref: 'Node' }),
);
