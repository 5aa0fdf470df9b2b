/**
 * Every metric of the daemon as data: name, kind, labels, what it says. `docs/metrics.md` is generated from this table.
 *
 * Base units (bytes, seconds, ratios of 1). A value that is not known has no series. `node_id` is on every series.
 */

export interface MetricDefinition {
  readonly kind: 'gauge' | 'counter' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
  /** Upper bounds, seconds; histograms only. */
  readonly buckets?: readonly number[];
}

const pool = ['pool_id'] as const;
const gpu = ['gpu_uuid', 'gpu_index'] as const;

export const metricDefinitions = {
  pool_slots_total: { kind: 'gauge', labels: pool, help: 'Requests the engine of this pool can work on at once' },
  pool_slots_free: { kind: 'gauge', labels: pool, help: 'Slots of the engine that are free; only while the pool is ready' },
  pool_vram_total_bytes: { kind: 'gauge', labels: pool, help: 'Memory of the GPUs of this pool' },
  pool_vram_used_bytes: { kind: 'gauge', labels: pool, help: 'GPU memory held by the processes of this pool' },
  pool_vram_free_bytes: { kind: 'gauge', labels: pool, help: 'Free memory of the GPUs of this pool' },
  pool_ready: { kind: 'gauge', labels: pool, help: '1 while requests may be sent to this pool, else 0' },
  pool_wanted: { kind: 'gauge', labels: pool, help: '1 while somebody wants this pool up, 0 once it was drained or stopped' },
  pool_live: { kind: 'gauge', labels: pool, help: '1 while an engine process of this pool exists, else 0' },
  pool_state: { kind: 'gauge', labels: ['pool_id', 'state'], help: '1 for the state the pool is in, 0 for the others' },
  pool_reason: {
    kind: 'gauge',
    labels: ['pool_id', 'code', 'retried'],
    help: '1 for the reason why the pool is where it is, none where there is no reason; retried: whether it is tried again by itself',
  },
  pool_provision_done_bytes: {
    kind: 'gauge',
    labels: ['pool_id', 'step'],
    help: 'Bytes of the engine or model that are there or verified; only while the pool is provisioned',
  },
  pool_provision_total_bytes: { kind: 'gauge', labels: ['pool_id', 'step'], help: 'Bytes of the engine or model that is being made present' },
  pool_provision_bytes_per_second: { kind: 'gauge', labels: ['pool_id', 'step'], help: 'How fast they come, over the last seconds' },
  pool_requests_running: { kind: 'gauge', labels: pool, help: 'Requests running or queued inside the engine, read from the engine' },
  pool_handoff_files_processed_total: {
    kind: 'counter',
    labels: ['pool_id', 'outcome'],
    help: 'Handoff files read: accepted, attached, not_ready, ignored, stale or rejected; pool_id is empty where it is not known',
  },
  pool_health_checks_total: {
    kind: 'counter',
    labels: ['pool_id', 'outcome'],
    help: 'Probes of the engine: ok, busy, timeout, refused, error, wedged or foreign',
  },
  pool_restarts_total: {
    kind: 'counter',
    labels: ['pool_id', 'reason'],
    help: 'Times the pool failed and was set to be tried again, by reason code',
  },
  pool_start_duration_seconds: {
    kind: 'histogram',
    labels: ['pool_id', 'phase'],
    help: 'Time a phase of a start took that went on to the next: provision, admit, spawn, load, prove; total is from the first to ready',
    buckets: [0.05, 0.25, 1, 5, 15, 60, 180, 600, 1800],
  },
  pool_drain_duration_seconds: {
    kind: 'histogram',
    labels: pool,
    help: 'Time from leaving service to having no engine',
    buckets: [0.1, 0.5, 1, 5, 15, 30, 60, 120, 300],
  },
  pool_vram_release_seconds: {
    kind: 'histogram',
    labels: pool,
    help: 'Time from the end of the engine until its GPU memory was back',
    buckets: [0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
  },
  pool_engine_kills_total: {
    kind: 'counter',
    labels: pool,
    help: 'Engines that we had to end by SIGKILL, since they did not end within their grace',
  },
  pool_drain_forced_total: { kind: 'counter', labels: pool, help: 'Drains that reached their deadline with requests still running' },
  gpu_memory_total_bytes: { kind: 'gauge', labels: gpu, help: 'Memory of the card' },
  gpu_memory_used_bytes: { kind: 'gauge', labels: gpu, help: 'Memory of the card in use, by anybody' },
  gpu_memory_free_bytes: { kind: 'gauge', labels: gpu, help: 'Memory of the card that is free' },
  gpu_memory_reserved_bytes: { kind: 'gauge', labels: gpu, help: 'Memory of the card promised to pools' },
  gpu_temperature_celsius: { kind: 'gauge', labels: gpu, help: 'Temperature of the card' },
  gpu_power_watts: { kind: 'gauge', labels: gpu, help: 'Power the card draws' },
  gpu_utilisation_ratio: { kind: 'gauge', labels: gpu, help: 'Share of time in which the card was busy, 0 to 1' },
  gpu_quarantined: { kind: 'gauge', labels: gpu, help: '1 while nothing is put on the card for what an ended engine left there, else 0' },
  gpu_health: {
    kind: 'gauge',
    labels: [...gpu, 'state'],
    help: '1 for how the card is: healthy, suspect, unhealthy, lost, quarantined or recovering; 0 for the others',
  },
  gpu_xids_total: { kind: 'counter', labels: ['gpu_uuid', 'xid'], help: "Errors of the card in the kernel's log, by NVIDIA's number" },
  gpu_ecc_corrected_errors: { kind: 'gauge', labels: gpu, help: 'Memory errors of the card that were corrected, since the driver was loaded' },
  gpu_ecc_uncorrected_errors: {
    kind: 'gauge',
    labels: gpu,
    help: 'Memory errors of the card that could not be corrected, since the driver was loaded',
  },
  gpu_remapped_rows: { kind: 'gauge', labels: gpu, help: 'Rows of its memory that the card has taken out of use' },
  gpu_remap_pending: { kind: 'gauge', labels: gpu, help: '1 while a reset of the card would take further rows out of use, else 0' },
  gpu_graphics_clock_hertz: { kind: 'gauge', labels: gpu, help: 'Clock of the card' },
  gpu_power_limit_watts: { kind: 'gauge', labels: gpu, help: 'Power the card may draw' },
  gpu_probe_age_seconds: { kind: 'gauge', labels: gpu, help: 'Age of what is known of the card' },
  gpu_stale: { kind: 'gauge', labels: gpu, help: '1 while what is known of the card is old, else 0' },
  node_lifecycle_state: { kind: 'gauge', labels: ['state'], help: '1 for the state the node is in, 0 for the others' },
  node_gpus_state: { kind: 'gauge', labels: ['state'], help: '1 for what the node knows of its GPUs: probing, known or blind; 0 for the others' },
  node_registration_state: { kind: 'gauge', labels: ['state'], help: '1 for the standing with orchestratord, 0 for the others' },
  node_registrations_total: { kind: 'counter', labels: ['outcome'], help: 'Registrations tried: accepted, rejected, unreachable or unknown_node' },
  node_heartbeats_total: { kind: 'counter', labels: ['outcome'], help: 'Heartbeats sent: accepted, unknown_node, rejected or unreachable' },
  node_observer_failures_total: { kind: 'counter', labels: ['observer'], help: 'Events that journal, log or metrics failed to take down' },
  pool_managerd_build_info: { kind: 'gauge', labels: ['version'], help: 'Always 1; the version of the daemon' },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof metricDefinitions;

export type NameOf<Kind extends MetricDefinition['kind']> = {
  [Name in MetricName]: (typeof metricDefinitions)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];
