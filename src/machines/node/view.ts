/** A node's snapshot in the API's words: `NodeView` and the list of `GpuView`. Pure; the caller says what the chart does not know. */
import { publicIdOf } from '../policies/berths.ts';
import { cardMemory } from '../policies/card-memory.ts';
import { rfc3339 } from '../policies/describe.ts';
import type { GpuStandings } from '../policies/gpu-standing.ts';
import { reservedOn } from '../policies/ledger.ts';
import { quarantineOf } from '../policies/quarantine.ts';
import { servingIds } from '../policies/roster.ts';
import type { GpuDetailsView, GpuView, HostFacts, MigView, NodeView, RegistrationView } from '../views.ts';
import type { GpuDeep, GpuFact, GpuPlace, GpuProcess, Inventory, MigSlice } from '../vocabulary.ts';
import type { NodeContext } from './context.ts';

export interface NodeSnapshot {
  readonly value: { readonly lifecycle: unknown; readonly gpus: unknown; readonly restarts: unknown };
  readonly context: NodeContext;
}

export interface NodeSurroundings {
  readonly machineId: string;
  readonly version: string;
  readonly host: HostFacts;
  readonly simulated: boolean;
  /** Null until registration has begun. */
  readonly registration: RegistrationView | null;
  /** Why no history is being kept; null: it is. */
  readonly journalTrouble: string | null;
}

export const nodeView = ({ value, context }: NodeSnapshot, around: NodeSurroundings): NodeView => {
  const inventory = latest(context);
  return {
    node_id: context.nodeId,
    machine_id: around.machineId,
    version: around.version,
    lifecycle: topOf(value.lifecycle) as NodeView['lifecycle'],
    gpus_state: topOf(value.gpus) as NodeView['gpus_state'],
    gpu_source: inventory?.source ?? null,
    simulated: around.simulated,
    driver_version: inventory?.driverVersion ?? null,
    cuda_version: inventory?.cudaVersion ?? null,
    gpu_error: context.gpuCause?.message ?? null,
    degraded: [...degradations(value, context), ...(around.journalTrouble === null ? [] : [`journal_failing: ${around.journalTrouble}`])],
    registration: around.registration ?? notBegun(context),
    pools: servingIds(context.roster),
    host: around.host,
  };
};

/** Newest facts first: what is sampled between two discoveries counts for display. */
export const latest = ({ samples, inventory }: NodeContext): Inventory | null => samples.inventory ?? inventory;

/** `staleMs`: facts older than this are marked. `now`: milliseconds since the epoch. */
export const gpuViews = (context: NodeContext, { now, staleMs }: { readonly now: number; readonly staleMs: number }): readonly GpuView[] => {
  const inventory = latest(context);
  if (inventory === null) return [];
  const stale = context.gpuCause !== null || now - inventory.at > staleMs;
  const gone = Object.values(context.gpus).filter(({ uuid, health }) => health !== 'healthy' && !inventory.gpus.some((gpu) => gpu.uuid === uuid));
  return [
    ...inventory.gpus.map((gpu) => aged(gpuView(gpu, inventory, context, stale), inventory.at, now)),
    // A card that is lost is shown: what is not known of it any more is null.
    ...gone.map((card) => aged(gpuView(unread(card), inventory, context, true), card.seenAt, now)),
  ];
};

const aged = (view: Omit<GpuView, 'seen_at' | 'age_ms'>, seenAt: number, now: number): GpuView => ({
  ...view,
  seen_at: rfc3339(seenAt),
  age_ms: Math.max(0, now - seenAt),
});

const unread = ({ uuid, index, pciAddress, name }: GpuStandings[string]): GpuFact => ({
  uuid,
  index,
  pciAddress,
  name,
  memoryTotalBytes: null,
  memoryUsedBytes: null,
  memoryFreeBytes: null,
  computeCapability: null,
  temperatureC: null,
  powerWatts: null,
  utilisationPercent: null,
  recoveryAction: null,
  processes: [],
});

const gpuView = (gpu: GpuFact, inventory: Inventory, context: NodeContext, stale: boolean): Omit<GpuView, 'seen_at' | 'age_ms'> => ({
  index: gpu.index,
  uuid: gpu.uuid,
  pci_address: gpu.pciAddress,
  name: gpu.name,
  compute_capability: gpu.computeCapability,
  driver_version: inventory.driverVersion,
  memory_total_bytes: gpu.memoryTotalBytes,
  memory_used_bytes: gpu.memoryUsedBytes,
  memory_free_bytes: gpu.memoryFreeBytes,
  memory_reserved_bytes: [gpu.uuid, ...(gpu.mig ?? []).map(({ uuid }) => uuid)].reduce((sum, uuid) => sum + reservedOn(context.ledger, uuid), 0),
  cpu_affinity: gpu.place?.cpus ?? null,
  numa_node: gpu.place?.numaNode ?? null,
  temperature_c: gpu.temperatureC,
  power_watts: gpu.powerWatts,
  utilisation_percent: gpu.utilisationPercent,
  recovery_action: gpu.recoveryAction,
  ...healthView(context.gpus[gpu.uuid]),
  quarantine: quarantineView(context, [gpu.uuid, ...(gpu.mig ?? []).map(({ uuid }) => uuid)]),
  processes: gpu.processes.map(ofPool),
  pools: poolsOn([gpu.uuid, ...(gpu.mig ?? []).map(({ uuid }) => uuid)], context),
  source: inventory.source,
  simulated: inventory.source === 'simulated',
  details: gpu.deep == null ? null : detailsView(gpu.deep),
  mig: gpu.mig?.map(migView) ?? null,
  stale,
});

const detailsView = ({
  persistenceMode,
  powerLimitWatts,
  graphicsClockMhz,
  memoryClockMhz,
  ecc,
  remappedRows,
  retiredPages,
  at,
}: GpuDeep): GpuDetailsView => ({
  persistence_mode: persistenceMode,
  power_limit_watts: powerLimitWatts,
  graphics_clock_mhz: graphicsClockMhz,
  memory_clock_mhz: memoryClockMhz,
  ecc: { enabled: ecc.enabled, corrected: ecc.corrected, uncorrected: ecc.uncorrected, uncorrected_ever: ecc.uncorrectedEver },
  remapped_rows: remappedRows,
  retired_pages: retiredPages,
  seen_at: rfc3339(at),
});

const migView = (slice: MigSlice): MigView => ({
  uuid: slice.uuid,
  profile: slice.profile,
  gpu_instance_id: slice.gpuInstanceId,
  compute_instance_id: slice.computeInstanceId,
  memory_total_bytes: slice.memoryTotalBytes,
  memory_used_bytes: slice.memoryUsedBytes,
  memory_free_bytes: slice.memoryFreeBytes,
});

const healthView = (
  standing: GpuStandings[string] | undefined,
): Pick<GpuView, 'health' | 'health_reason' | 'recommended_action' | 'xids' | 'last_xid'> => ({
  health: standing?.health ?? 'healthy',
  health_reason: standing?.cause == null ? null : { code: standing.cause.code, message: standing.cause.message },
  recommended_action: standing?.recommended ?? null,
  xids: standing?.xids ?? 0,
  last_xid: standing?.lastXid == null ? null : { ...standing.lastXid, at: rfc3339(standing.lastXid.at) },
});

const poolsOn = (uuids: readonly string[], { roster }: NodeContext): readonly string[] => {
  const here = Object.values(roster).filter(({ pinned }) => pinned?.some(({ uuid }) => uuids.includes(uuid)));
  return [...new Set(here.map(({ poolId }) => publicIdOf(poolId)))].sort();
};

const ofPool = (process: GpuProcess): GpuProcess => (process.poolId == null ? process : { ...process, poolId: publicIdOf(process.poolId) });

const quarantineView = ({ quarantines }: NodeContext, uuids: readonly string[]): GpuView['quarantine'] => {
  const found = uuids.map((uuid) => quarantineOf(quarantines, uuid)).find((one) => one !== null);
  return found == null ? null : { pool_id: publicIdOf(found.poolId), code: found.cause.code, message: found.cause.message };
};

/** Memory that a pool's GPU or MIG slice stands for. */
export const memoryOf = (context: NodeContext, uuid: string): { readonly totalBytes: number | null; readonly freeBytes: number | null } | null => {
  const inventory = latest(context);
  return inventory === null ? null : cardMemory(uuid, inventory);
};

/** Of the card itself, or of the one that a MIG slice is of. */
export const placeOfGpu = (context: NodeContext, uuid: string): GpuPlace | null =>
  latest(context)?.gpus.find((gpu) => gpu.uuid === uuid || gpu.mig?.some((slice) => slice.uuid === uuid))?.place ?? null;

const degradations = (value: NodeSnapshot['value'], context: NodeContext): string[] => [
  ...(topOf(value.gpus) === 'blind' ? ['gpus_blind'] : []),
  ...Object.values(context.gpus)
    .filter(({ health }) => health !== 'healthy')
    .map(({ index, health, cause }) => `gpu_${health}: ${index}${cause === null ? '' : ` (${cause.message})`}`),
  ...(latest(context)?.remarks ?? []).map((remark) => `gpu_remark: ${remark}`),
  ...(context.kernelCause === null ? [] : [`kernel_log_unreadable: ${context.kernelCause.message}`]),
  ...Object.values(context.quarantines).map(
    ({ poolId, gpus }) => `gpu_quarantined: ${gpus.map(({ index }) => index).join(',')} (left by ${publicIdOf(poolId)})`,
  ),
  ...(topOf(value.restarts) === 'calm' ? [] : [topOf(value.restarts) === 'storming' ? 'restart_storm' : 'restarts_gathering']),
  ...suspicion(context),
  ...(context.fileMistakes ?? []).map((mistake) => `pools_file_invalid: ${mistake}`),
  ...context.troubles.map(({ code, message }) => `${code}: ${message}`),
];

const suspicion = ({ roster }: NodeContext): string[] => {
  const pools = new Set(Object.values(roster).flatMap(({ poolId, report }) => (report?.hostSuspected === true ? [publicIdOf(poolId)] : [])));
  return pools.size === 0 ? [] : [`host_suspected: most engines fail the same probe at once (${[...pools].sort().join(', ')})`];
};

const notBegun = ({ registration }: NodeContext): RegistrationView => ({
  state: registration.enabled ? 'unregistered' : 'disabled',
  orchestrator_url: registration.orchestratorUrl,
  attempt: 0,
  heartbeat_sequence: 0,
  heartbeat_interval_ms: registration.heartbeatIntervalMs,
  last_success_at: null,
  last_error: null,
});

const topOf = (value: unknown): string => (typeof value === 'string' ? value : (Object.keys(value ?? {})[0] ?? ''));
