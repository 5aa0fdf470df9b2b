/**
 * The domain's words: plain data that crosses between machines, actors and rims.
 *
 * Nothing here decides or does anything. Everything is JSON, so that every event can be journaled and replayed.
 * Sizes are bytes, durations milliseconds; what is not known is `null`, never 0.
 */
import type { ReasonCode } from './reasons.ts';

/** When something was seen. Policies read `mono` only; `at` is for people. */
export interface Stamp {
  /** Wall clock, milliseconds since the epoch. */
  readonly at: number;
  /** CLOCK_MONOTONIC in milliseconds; comparable between processes of one boot. */
  readonly mono: number;
}

/** Why something failed: a reason code of the one table, and a sentence with what was expected, found and what to do. */
export interface Cause {
  readonly code: ReasonCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A pool as declared: one engine, one model, explicit GPUs. The rims fill in every default. */
export interface PoolSpec {
  /** `^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$` */
  readonly id: string;
  readonly engine: EngineName;
  /** Model reference: a path or what is fetched. `null` only for engines that need none (`custom`). */
  readonly model: string | null;
  /** GPU indices or GPU/MIG UUIDs, explicit and never spilled. */
  readonly devices: readonly (number | string)[];
  /** Requests the engine works on at once. */
  readonly slots: number;
  /** Context tokens per slot; `null`: the engine's own default. */
  readonly ctx: number | null;
  /** Address the engine listens on. */
  readonly host: string;
  readonly api_key_file: string | null;
  readonly quant: string | null;
  readonly tensor_split: readonly number[] | null;
  /** The engine runs on the CPUs that are nearest to its GPUs; `null`: wherever the kernel puts it. */
  readonly cpu_affinity: 'gpu' | null;
  readonly preload: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  /** Fixed ports to choose from; `null`: leased from POOL_MANAGERD_PORT_RANGE. */
  readonly ports: readonly number[] | null;
  readonly provisioning: Provisioning;
  readonly model_source: { readonly ref: string | null; readonly cache_dir: string | null; readonly checksum: string | null } | null;
  readonly custom: CustomEngine | null;
  readonly timeouts: {
    readonly start_stall_ms: number;
    /** `null`: in proportion to the model's size. */
    readonly start_max_ms: number | null;
    readonly drain_ms: number;
    readonly stop_ms: number;
    readonly vram_release_ms: number;
  };
  readonly health: {
    readonly interval_ms: number;
    readonly timeout_ms: number;
    readonly progress_timeout_ms: number;
    readonly failures: number;
    readonly canary: boolean;
  };
  readonly restart: {
    readonly initial_ms: number;
    readonly max_ms: number;
    readonly window_ms: number;
    readonly max_restarts: number;
    readonly stable_ms: number;
  };
}

export type EngineName = 'llamacpp' | 'vllm' | 'sglang' | 'tgi' | 'custom';

/** How the engine comes to be on disk. `external`: it is there already. */
export type Provisioning =
  | { readonly mode: 'external'; readonly executable: string | null }
  | {
      readonly mode: 'binary';
      readonly binary: {
        readonly url: string;
        readonly checksum: string;
        readonly install_dir: string | null;
        /** From the top of the archive; `null`: by its usual name. */
        readonly executable: string | null;
      };
    }
  | {
      readonly mode: 'source';
      readonly source: {
        /** `null`: the engine's own. */
        readonly repo: string | null;
        readonly ref: string;
        readonly submodules: boolean;
        readonly build: { readonly cmake_flags: readonly string[]; readonly generator: string | null; readonly cache_dir: string | null };
      };
    }
  | {
      readonly mode: 'package';
      readonly package: {
        /** `null`: the engine's own. */
        readonly name: string | null;
        readonly version: string;
        /** Lock file with the hashes of all that is installed; `null`: what the index has on that day. */
        readonly lock: string | null;
      };
    }
  | {
      readonly mode: 'container';
      readonly container: {
        readonly image: string;
        readonly digest: string;
        /** In the image; `null`: its entrypoint, or by its usual name. */
        readonly executable: string | null;
      };
    };

/** What pool-managerd must be told of an engine that it does not know. `flags` may use {host} {port} {model} {slots} {ctx}. */
export interface CustomEngine {
  /** GET, 200 = healthy, 503 = still loading. */
  readonly health_path: string;
  /** GET that goes through the engine's work loop; `null`: health is all there is. */
  readonly progress_path: string | null;
  /** Prometheus text in which these series, summed, are the requests in the engine; `null`: in-flight is unknown. */
  readonly in_flight: { readonly path: string; readonly metrics: readonly string[] } | null;
  /** POST that generates one token; `null`: readiness stands without it. */
  readonly token: { readonly path: string; readonly body: string } | null;
}

/** A GPU as pools are pinned to it. */
export interface GpuRef {
  readonly index: number;
  readonly uuid: string;
}

/** What one probe of the driver says about one card. */
export interface GpuFact extends GpuRef {
  /** `00000000:3B:00.0` */
  readonly pciAddress: string | null;
  readonly name: string;
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
  /** `8.6` */
  readonly computeCapability: string | null;
  readonly temperatureC: number | null;
  readonly powerWatts: number | null;
  readonly utilisationPercent: number | null;
  /** `None`, `GPU Reset Required`, … as the driver words it. */
  readonly recoveryAction: string | null;
  /** What the driver says in place of its values; absent: they are there. */
  readonly reads?: 'lost' | 'reset' | 'unknown';
  readonly processes: readonly GpuProcess[];
  /** Absent or null: not known. */
  readonly place?: GpuPlace | null;
  /** Asked for more rarely, so that it has an age of its own; absent or null: not yet, or the driver does not tell. */
  readonly deep?: GpuDeep | null;
  /** Slices of a card in MIG mode, possibly none; absent or null: the card is not in MIG mode. */
  readonly mig?: readonly MigSlice[] | null;
}

/** Where a card is in the machine. */
export interface GpuPlace {
  /** The CPUs that are nearest to it, `0-15,32-47`. */
  readonly cpus: string;
  /** The memory that is nearest to it; null: not known, or there is but one. */
  readonly numaNode: number | null;
}

/** What of a card changes slowly. */
export interface GpuDeep extends Stamp {
  readonly persistenceMode: boolean | null;
  readonly powerLimitWatts: number | null;
  readonly graphicsClockMhz: number | null;
  readonly memoryClockMhz: number | null;
  /** Memory errors since the driver was loaded; `uncorrectedEver`: in the life of the card. */
  readonly ecc: {
    readonly enabled: boolean | null;
    readonly corrected: number | null;
    readonly uncorrected: number | null;
    readonly uncorrectedEver: number | null;
  };
  /** Rows taken out of use; `pending`: at the next reset. */
  readonly remappedRows: {
    readonly corrected: number | null;
    readonly uncorrected: number | null;
    readonly pending: boolean | null;
    readonly failed: boolean | null;
  };
  /** Of older cards, which have pages in place of rows. */
  readonly retiredPages: { readonly count: number | null; readonly pending: boolean | null };
}

/** A MIG compute instance. Those of one GPU instance share its memory. */
export interface MigSlice {
  /** `MIG-…` */
  readonly uuid: string;
  /** `1g.18gb`; null where the driver does not name it. */
  readonly profile: string | null;
  readonly gpuInstanceId: number;
  readonly computeInstanceId: number;
  readonly memoryTotalBytes: number | null;
  readonly memoryUsedBytes: number | null;
  readonly memoryFreeBytes: number | null;
}

export interface GpuProcess {
  readonly pid: number;
  readonly usedBytes: number | null;
  /** Pool whose engine tree it belongs to; null: none of ours; absent: nobody looked. */
  readonly poolId?: string | null;
  /** MIG GPU instance it runs in; absent or null: the whole card, or not known. */
  readonly gpuInstanceId?: number | null;
}

/** `healthy` and `suspect` cards are used; all others wait, for what the chart in `machines/gpu/` says. */
export type GpuHealth = 'healthy' | 'suspect' | 'unhealthy' | 'lost' | 'quarantined' | 'recovering';

/** What the driver says is to be done with a card. `other`: something that this version does not know. */
export type RecoveryAction = 'reset' | 'reboot' | 'drain_p2p' | 'drain_and_reset' | 'other';

/** What one look at the driver comes to for one card that has been seen before. */
export type GpuFinding =
  /** `unknown`: this driver does not tell whether anything is to be done. */
  | { readonly kind: 'sound'; readonly action: 'none' | 'unknown' }
  | { readonly kind: 'demanding'; readonly action: RecoveryAction; readonly cause: Cause }
  /** Listed, but not readable: often over at the next look. */
  | { readonly kind: 'failing'; readonly cause: Cause }
  | { readonly kind: 'away'; readonly cause: Cause };

/** An Xid, or what stands for one, from the kernel's log. */
export interface XidReport {
  readonly code: number;
  /** As the driver writes it, `00000000:3B:00.0`. */
  readonly pciAddress: string;
  /** The MIG GPU instance that it is about; null: the whole card, or not said. */
  readonly gpuInstanceId: number | null;
  /** The process that the kernel names, and the berth whose engine it belongs to; null: none that can be told. */
  readonly process: { readonly pid: number; readonly poolId: string | null } | null;
  /** Xid 154 only: what is to be done from now on. */
  readonly recovery: RecoveryAction | 'none' | null;
  /** The Xid that this one is a consequence of. */
  readonly follows: number | null;
  /** NVLink errors only. */
  readonly fatal: boolean;
  readonly text: string;
}

export type GpuSourceName = 'nvml' | 'nvidia-smi' | 'simulated';

/** All cards of the machine at one moment. */
export interface Inventory extends Stamp {
  readonly source: GpuSourceName;
  readonly driverVersion: string | null;
  readonly cudaVersion: string | null;
  readonly gpus: readonly GpuFact[];
  /** What the driver's tool said besides: a card that is lost, a corrupted InfoROM. */
  readonly remarks?: readonly string[];
}

/** The engine's executable, found and asked for its version. */
export interface EnginePresent {
  readonly executable: string;
  readonly version: string | null;
  /** Flags that the engine's `--help` names; `null` where it has none to ask. */
  readonly knownFlags: readonly string[] | null;
}

export interface ModelPresent {
  readonly id: string;
  /** `null` for an engine that needs no model. */
  readonly path: string | null;
  readonly bytes: number | null;
  /** What its header says; absent or null: not read, or not understood. */
  readonly shape?: ModelShape | null;
}

/** What of a model decides how much memory it needs. */
export interface ModelShape {
  readonly format: 'gguf' | 'safetensors';
  readonly architecture: string | null;
  /** All tensors together. */
  readonly tensorBytes: number;
  /** Of these, the embeddings that llama.cpp looks up on the host. */
  readonly hostBytes: number;
  /** Tokens that it was trained for. */
  readonly contextLength: number | null;
  readonly embedding: number | null;
  readonly feedForward: number | null;
  readonly vocabulary: number | null;
  readonly cache: CacheShape | null;
}

/** KV cache: numbers kept per token, over all layers of a kind. */
export interface CacheShape {
  readonly full: { readonly k: number; readonly v: number };
  /** Layers that look back over `window` tokens only. */
  readonly windowed: { readonly k: number; readonly v: number };
  readonly window: number | null;
}

/** Memory of one GPU that an engine may take, as granted. */
export interface VramShare {
  /** On each of its GPUs. */
  readonly grantedBytes: number;
  /** Of that: CUDA context, libraries and graphs. */
  readonly overheadBytes: number;
  /** Of that: activations. */
  readonly computeBytes: number;
  /** Of the GPU, or MIG slice, with the most. */
  readonly totalBytes: number;
}

/**
 * An engine process, as written to `<state>/runs/<pool>.json` before the process can matter and read back after a restart
 * of the daemon. Identity is (bootId, pid, startTime) or the unit's InvocationID, never a pid alone.
 */
export interface RunRecord {
  readonly version: 1;
  readonly poolId: string;
  /** Nonce of this start, also in the handoff file. */
  readonly incarnation: string;
  readonly launcher: 'detached' | 'systemd' | 'container';
  readonly pid: number;
  /** `/proc/<pid>/stat` field 22, clock ticks since boot. */
  readonly startTime: number;
  readonly bootId: string;
  /** systemd: its unit. container: runtime and name, `podman:pool-managerd-chat-…`. */
  readonly unit: string | null;
  /** systemd: InvocationID of the unit. container: its id. */
  readonly invocationId: string | null;
  readonly host: string;
  readonly port: number;
  /** URL that clients use. */
  readonly endpoint: string;
  readonly engine: EngineName;
  readonly engineVersion: string | null;
  readonly model: Omit<ModelPresent, 'shape'>;
  readonly spec: PoolSpec;
  readonly specHash: string;
  readonly gpus: readonly GpuRef[];
  readonly reservedBytes: number | null;
  readonly simulated: boolean;
  /** Output of both streams. */
  readonly logFile: string;
  /** FIFO whose end-of-file is the exit of a detached engine; `null`: another launcher's. */
  readonly exitFifo: string | null;
  readonly startedAt: number;
  readonly startedMono: number;
}

/** One pool as found on disk: declared, recorded as running, or both. */
export interface BootPool {
  readonly poolId: string;
  readonly origin: PoolOrigin;
  /** `null`: its engine runs but no valid file declares it any more. It is adopted and drained. */
  readonly spec: PoolSpec | null;
  readonly specHash: string | null;
  /** What the pools file says of it, where an order over the API has put `spec` in its place; null: nothing is overridden. */
  readonly overrides: PoolSpec | null;
  /** What was declared before an order over the API that had no outcome yet; null: there is none. */
  readonly former: { readonly spec: PoolSpec; readonly specHash: string } | null;
  readonly run: RunRecord | null;
  readonly memory: PoolMemory | null;
  readonly handoff: Handoff | null;
}

/** How an engine ended, as far as it can be known. A process that was not our child has no code. */
export interface EngineExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Work in the engine, read from the engine. */
export interface Load {
  readonly slotsTotal: number | null;
  readonly slotsFree: number | null;
  /** Requests running or queued inside the engine. */
  readonly inFlight: number | null;
}

export type Residency = 'proven' | 'unproven' | 'violated' | 'simulated';

/** What was shown before a pool was called ready. */
export interface Proof {
  readonly residency: Residency;
  /** Lines and numbers the residency verdict rests on. */
  readonly evidence: readonly string[];
  readonly slotsTotal: number | null;
  readonly engineVersion: string | null;
  readonly modelsAvailable: readonly string[];
  /** Milliseconds until the one token came; `null` where none was asked for. */
  readonly firstTokenMs: number | null;
}

/** A handoff file, read as the union of its spellings. */
export interface Handoff {
  readonly file: string;
  readonly poolId: string;
  readonly replicaId: string;
  readonly engine: string | null;
  readonly engineVersion: string | null;
  readonly endpoint: string;
  /** Indices as written, for display. */
  readonly devices: readonly number[];
  readonly slotsTotal: number | null;
  readonly ready: boolean;
  readonly modelId: string | null;
  readonly pid: number | null;
  readonly pidStartTime: number | null;
  readonly incarnation: string | null;
}

/** Label of `pool_handoff_files_processed_total`. */
export type HandoffOutcome = 'accepted' | 'attached' | 'not_ready' | 'ignored' | 'stale' | 'rejected';

/** Label of `pool_health_checks_total`. */
export type ProbeOutcome = 'ok' | 'busy' | 'timeout' | 'refused' | 'error' | 'wedged' | 'foreign';

/** How far something that is fetched, verified or built has come. */
export interface Progress {
  readonly doneBytes: number | null;
  readonly totalBytes: number | null;
  readonly bytesPerSecond: number | null;
}

/** What provisioning is at, before engine or model is present. */
export type ProvisionPhase = 'fetching' | 'verifying' | 'building';

export type Wanted = 'up' | 'down';
export type PoolOrigin = 'file' | 'api' | 'attached';
export type PoolState = 'uninitialized' | 'provisioning' | 'starting' | 'ready' | 'draining' | 'offline';

/** What survives a restart of the daemon besides the run record: `<state>/pools/<pool>.json`. */
export interface PoolMemory {
  readonly version: 1;
  readonly poolId: string;
  readonly wanted: Wanted;
  readonly restart: RestartMemory;
  /** Where the engine was, so that an adopted one goes on from there. */
  readonly phase: 'loading' | 'proving' | 'ready' | 'emptying' | 'stopping' | null;
  readonly proof: Proof | null;
  readonly drain: { readonly why: DrainWhy; readonly deadlineMono: number | null; readonly bootId: string | null } | null;
  /** What it waits for before it is tried again, so that a daemon that comes back does not try at once. */
  readonly retry: RetryMemory | null;
}

export interface RetryMemory {
  /** Still to wait, when this was written or read, in ms. */
  readonly delayMs: number;
  /** When it is due, in Unix ms and in monotonic ms of the memory's boot. */
  readonly at: number;
  readonly mono: number;
  readonly reason: { readonly code: ReasonCode; readonly message: string; readonly at: number | null };
  /** Of the spec that failed; another one is tried at once. */
  readonly specHash: string;
}

/** Restart policy's memory. Monotonic times are of boot `bootId`. */
export interface RestartMemory {
  /** Restarts since the pool was declared. */
  readonly count: number;
  /** Failures in a row since the last stable run; the exponent of the delay. */
  readonly attempt: number;
  /** Starts inside the rolling window. */
  readonly startsMono: readonly number[];
  /** How often the breaker opened since the last stable run. */
  readonly opened: number;
}

export type DrainWhy = 'operator' | 'remove' | 'reload' | 'health' | 'withdrawn' | 'crash' | 'gpu' | 'start_failed' | 'shutdown';
