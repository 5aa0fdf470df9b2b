/**
 * The API's words for what machines are: the shapes of `GET /v2/pools/{id}/status`, `/v2/node` and `/v2/gpus`.
 *
 * Types only; `pool/view.ts`, `node/view.ts` and `registration/view.ts` turn snapshots into them. Times are RFC 3339 UTC
 * with milliseconds; what is not known is `null`.
 */
import type { ReasonCode } from './reasons.ts';
import type { GpuHealth, GpuProcess, GpuSourceName, PoolOrigin, PoolState, RecoveryAction, Residency, Wanted } from './vocabulary.ts';

export interface ReasonView {
  readonly code: ReasonCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly attempt: number;
  readonly next_retry_at: string | null;
}

export interface ErrorView {
  readonly code: ReasonCode;
  readonly message: string;
  readonly at: string;
  /** How the engine ended, if its end was the error. A process that was not the daemon's child has neither code nor signal. */
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
  /** The last lines of its output. */
  readonly tail: readonly string[];
}

export interface PoolStatus {
  readonly pool_id: string;
  readonly node_id: string;
  readonly origin: PoolOrigin;
  readonly state: PoolState;
  /** Path below the public state, `loading.answering`; empty where there is none. */
  readonly substate: string;
  readonly since: string;
  /** An engine process of this pool exists. */
  readonly live: boolean;
  readonly ready: boolean;
  readonly draining: boolean;
  readonly wanted: Wanted;
  readonly degraded: readonly string[];
  readonly reason: ReasonView | null;
  readonly engine: string;
  readonly engine_version: string | null;
  readonly model: string | null;
  /** Of the engine's first process; null while there is none, or it is not ours. */
  readonly pid: number | null;
  /** URL that clients use; null while there is none. */
  readonly endpoint: string | null;
  readonly gpu_device: number | null;
  readonly gpus: readonly { readonly index: number; readonly uuid: string }[];
  /** Indices, `0,1`, for display. */
  readonly device_mask: string;
  readonly slots_total: number | null;
  readonly slots_free: number | null;
  /** In-flight work read from the engine. */
  readonly active_leases: number | null;
  readonly vram_total_bytes: number | null;
  readonly vram_used_bytes: number | null;
  readonly vram_free_bytes: number | null;
  readonly residency: Residency;
  readonly models_available: readonly string[];
  readonly progress: {
    readonly step: string;
    readonly done_bytes: number | null;
    readonly total_bytes: number | null;
    readonly bytes_per_second: number | null;
  } | null;
  readonly restarts: number;
  readonly incarnation: string | null;
  readonly last_error: ErrorView | null;
  /** When the latest probe passed. */
  readonly last_probe_at: string | null;
  /** What the latest probe failed by; null: it passed, or there was none. */
  readonly probe_error: { readonly code: ReasonCode; readonly message: string } | null;
  /** When work that is still in the engine is cut off; null: it is not waited for. */
  readonly drain_deadline_at: string | null;
}

export interface GpuView {
  readonly index: number;
  readonly uuid: string;
  readonly pci_address: string | null;
  readonly name: string;
  readonly compute_capability: string | null;
  readonly driver_version: string | null;
  readonly memory_total_bytes: number | null;
  readonly memory_used_bytes: number | null;
  readonly memory_free_bytes: number | null;
  /** Promised to pools by the ledger. */
  readonly memory_reserved_bytes: number;
  /** CPUs and memory that are nearest to it, `0-15,32-47`; null: not known, or there is but one memory. */
  readonly cpu_affinity: string | null;
  readonly numa_node: number | null;
  readonly temperature_c: number | null;
  readonly power_watts: number | null;
  readonly utilisation_percent: number | null;
  readonly recovery_action: string | null;
  readonly health: GpuHealth;
  /** Why it is not healthy; null: it is. */
  readonly health_reason: { readonly code: ReasonCode; readonly message: string } | null;
  /** What NVIDIA says is to be done with it, by a person: nothing is reset here. `later`: when nothing uses it. */
  readonly recommended_action: RecoveryAction | 'later' | null;
  /** Errors of the card in the kernel's log since the daemon knows it, and the latest of them. */
  readonly xids: number;
  readonly last_xid: { readonly code: number; readonly message: string; readonly at: string } | null;
  /** Nothing is put on it while something of this pool will not go from it; null: it may be used. */
  readonly quarantine: { readonly pool_id: string; readonly code: ReasonCode; readonly message: string } | null;
  readonly processes: readonly GpuProcess[];
  readonly pools: readonly string[];
  /** What changes slowly, with a time of its own; null: not read yet, or not told by this source. */
  readonly details: GpuDetailsView | null;
  /** Slices of a card in MIG mode; null: it is not in MIG mode. */
  readonly mig: readonly MigView[] | null;
  readonly source: GpuSourceName;
  readonly simulated: boolean;
  /** Facts older than three probe intervals. */
  readonly stale: boolean;
  readonly seen_at: string;
  /** Age of the facts, at the moment of the answer. */
  readonly age_ms: number;
}

export interface GpuDetailsView {
  readonly persistence_mode: boolean | null;
  readonly power_limit_watts: number | null;
  readonly graphics_clock_mhz: number | null;
  readonly memory_clock_mhz: number | null;
  readonly ecc: {
    readonly enabled: boolean | null;
    /** Since the driver was loaded. */
    readonly corrected: number | null;
    readonly uncorrected: number | null;
    /** In the life of the card. */
    readonly uncorrected_ever: number | null;
  };
  readonly remapped_rows: {
    readonly corrected: number | null;
    readonly uncorrected: number | null;
    readonly pending: boolean | null;
    readonly failed: boolean | null;
  };
  readonly retired_pages: { readonly count: number | null; readonly pending: boolean | null };
  readonly seen_at: string;
}

export interface MigView {
  readonly uuid: string;
  readonly profile: string | null;
  readonly gpu_instance_id: number;
  readonly compute_instance_id: number;
  readonly memory_total_bytes: number | null;
  readonly memory_used_bytes: number | null;
  readonly memory_free_bytes: number | null;
}

export interface RegistrationView {
  readonly state: 'disabled' | 'unregistered' | 'registering' | 'registered' | 'backingOff' | 'rejected' | 'deregistering' | 'ended';
  readonly orchestrator_url: string | null;
  readonly attempt: number;
  readonly heartbeat_sequence: number;
  readonly heartbeat_interval_ms: number;
  readonly last_success_at: string | null;
  readonly last_error: string | null;
}

export interface NodeView {
  readonly node_id: string;
  readonly machine_id: string;
  readonly version: string;
  readonly lifecycle: 'booting' | 'adopting' | 'serving' | 'draining' | 'stopped';
  readonly gpus_state: 'probing' | 'known' | 'blind';
  readonly gpu_source: GpuSourceName | null;
  readonly simulated: boolean;
  readonly driver_version: string | null;
  readonly cuda_version: string | null;
  readonly gpu_error: string | null;
  readonly degraded: readonly string[];
  readonly registration: RegistrationView;
  readonly pools: readonly string[];
  readonly host: HostFacts;
}

/** Host facts, gathered once at the start. */
export interface HostFacts {
  readonly hostname: string;
  readonly cpu_cores: number;
  readonly ram_total_bytes: number;
  readonly os: string;
  readonly kernel: string;
  readonly boot_id: string;
}
