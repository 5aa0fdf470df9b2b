/**
 * What the commands read from the daemon's answers: the shown fields of the views, checked, so that a foreign server is
 * noticed. Everything else in an answer is kept for `--json`.
 */
import * as v from 'valibot';

const known = v.nullable(v.number());

const anySpec = v.record(v.string(), v.unknown());

export const specSchema = v.looseObject({ spec: anySpec, filed: v.optional(v.nullable(anySpec), null) });

export const poolSchema = v.looseObject({
  pool_id: v.string(),
  origin: v.string(),
  state: v.string(),
  substate: v.string(),
  since: v.string(),
  live: v.boolean(),
  ready: v.boolean(),
  wanted: v.string(),
  degraded: v.array(v.string()),
  reason: v.nullable(v.looseObject({ code: v.string(), message: v.string(), retryable: v.boolean(), next_retry_at: v.nullable(v.string()) })),
  engine: v.string(),
  engine_version: v.nullable(v.string()),
  model: v.nullable(v.string()),
  pid: v.optional(known, null),
  endpoint: v.nullable(v.string()),
  device_mask: v.string(),
  gpus: v.array(v.looseObject({ index: v.number(), uuid: v.string() })),
  slots_total: known,
  slots_free: known,
  active_leases: known,
  vram_total_bytes: known,
  vram_used_bytes: known,
  vram_free_bytes: known,
  residency: v.string(),
  progress: v.nullable(v.looseObject({ step: v.string(), done_bytes: known, total_bytes: known, bytes_per_second: v.optional(known, null) })),
  restarts: v.number(),
  incarnation: v.nullable(v.string()),
  last_error: v.nullable(
    v.looseObject({
      code: v.string(),
      message: v.string(),
      at: v.string(),
      exit: v.nullable(v.looseObject({ code: v.nullable(v.number()), signal: v.nullable(v.string()) })),
      tail: v.array(v.string()),
    }),
  ),
  last_probe_at: v.nullable(v.string()),
  probe_error: v.optional(v.nullable(v.looseObject({ code: v.string(), message: v.string() })), null),
  drain_deadline_at: v.optional(v.nullable(v.string()), null),
});
export type Pool = v.InferOutput<typeof poolSchema>;

export const poolsSchema = v.looseObject({ node_id: v.string(), pools: v.array(poolSchema) });

export const gpuSchema = v.looseObject({
  index: v.number(),
  uuid: v.string(),
  name: v.string(),
  memory_total_bytes: known,
  memory_used_bytes: known,
  memory_free_bytes: known,
  memory_reserved_bytes: v.number(),
  cpu_affinity: v.nullable(v.string()),
  numa_node: known,
  temperature_c: known,
  power_watts: known,
  utilisation_percent: known,
  health: v.string(),
  health_reason: v.nullable(v.looseObject({ code: v.string(), message: v.string() })),
  recommended_action: v.nullable(v.string()),
  pools: v.array(v.string()),
  source: v.string(),
  simulated: v.boolean(),
  stale: v.boolean(),
  seen_at: v.string(),
});
export type Declared = v.InferOutput<typeof specSchema>;
export type Gpu = v.InferOutput<typeof gpuSchema>;

export const gpusSchema = v.looseObject({ gpus: v.array(gpuSchema) });

export const nodeSchema = v.looseObject({
  node_id: v.string(),
  version: v.string(),
  lifecycle: v.string(),
  gpus_state: v.string(),
  gpu_source: v.nullable(v.string()),
  simulated: v.boolean(),
  driver_version: v.nullable(v.string()),
  gpu_error: v.nullable(v.string()),
  degraded: v.array(v.string()),
  registration: v.looseObject({ state: v.string(), orchestrator_url: v.nullable(v.string()), last_error: v.nullable(v.string()) }),
});
export type Node = v.InferOutput<typeof nodeSchema>;

export const eventSchema = v.looseObject({
  seq: v.number(),
  at: v.string(),
  pool_id: v.nullable(v.string()),
  actor: v.string(),
  event: v.string(),
  from: v.string(),
  to: v.string(),
  reason: v.nullable(v.looseObject({ code: v.string(), message: v.string() })),
  outcome: v.nullable(v.string()),
});
export type Transition = v.InferOutput<typeof eventSchema>;

export const eventsSchema = v.looseObject({ events: v.array(eventSchema) });

export const logLineSchema = v.looseObject({ offset: v.number(), text: v.string() });
export const logsSchema = v.looseObject({ lines: v.array(logLineSchema) });

/** Answers to commands: the pool's view, or at least an object. */
export const commandSchema = v.looseObject({});

/** Of a reload; null: the engine goes on as it is. */
export const operationSchema = v.looseObject({ operation_id: v.nullable(v.string()), origin: v.string() });

/** The error shape of every route. */
export const problemSchema = v.looseObject({ code: v.string(), message: v.string(), details: v.nullish(v.unknown()) });
