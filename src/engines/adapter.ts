/**
 * What the daemon must know of an engine. One file per engine beside this one; adding an engine is adding a file and a
 * row in `index.ts`.
 *
 * Adapters are data and pure functions: they say what to run, what to ask over HTTP and what answers mean. Actors run
 * processes and make the requests.
 */
import type {
  Cause,
  EngineExit,
  EngineName,
  EnginePresent,
  GpuRef,
  Load,
  ModelPresent,
  PoolSpec,
  Residency,
  RunRecord,
  VramShare,
} from '../machines/vocabulary.ts';

export interface LaunchInput {
  readonly spec: PoolSpec;
  readonly engine: EnginePresent;
  readonly model: ModelPresent;
  readonly gpus: readonly GpuRef[];
  readonly simulated: boolean;
  readonly port: number;
  /** The first of its side ports; absent or null: it has none. */
  readonly sidePort?: number | null;
  /** What it was granted; absent or null: need or size of the GPUs is not known. */
  readonly vram?: VramShare | null;
}

export interface LaunchPlan {
  readonly executable: string;
  readonly argv: readonly string[];
  /** The whole environment: an allow-list built from zero, nothing inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** It may run on these CPUs only; absent: on all. Added by whoever knows the machine. */
  readonly cpus?: readonly number[];
  /** Safeguards that this engine does not know and that were therefore not asked of it. */
  readonly notes?: readonly string[];
}

/** One HTTP request to the engine. `text` bodies are capped by the asker. */
export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface EngineAdapter {
  readonly name: EngineName;
  /** Names looked for on the PATH when the spec names no executable. */
  readonly executables: readonly string[];
  /** How to ask the executable for its version and its flags; null: it cannot be asked. `output`: of both streams. */
  readonly version: { readonly argv: readonly string[]; parse(output: string): string | null } | null;
  readonly help: { readonly argv: readonly string[]; parseFlags(output: string): readonly string[] } | null;
  /** What a new installation has to show besides, before it counts as there; absent: nothing more. */
  readonly selfTest?: {
    /** Which devices it can compute on, as it names them. */
    readonly devices: { readonly argv: readonly string[]; parse(output: string): readonly string[] };
    /** Serves a tiny model on a UNIX socket without touching a card; null: this version cannot. */
    serve(model: string, socket: string, help: string): readonly string[] | null;
  };
  /** How it is built from source, by CMake; absent: it is not. `target`: also the name of the program. */
  readonly build?: {
    readonly target: string;
    /** Before those of the pool, which may say otherwise. */
    readonly flags: readonly string[];
    cudaFlags(architectures: readonly string[]): readonly string[];
  };
  /** Where it comes from when a pool does not say: what is trusted is pinned by the pool, as a version, ref or digest. */
  readonly known?: { readonly repo?: string; readonly package?: string };
  /** Milliseconds it may take to answer these; absent: the asker's own limit. */
  readonly askWithinMs?: number;
  /** How many ports its processes need to find each other; absent: it is one process. */
  readonly sidePorts?: number;
  /** Every flag explicit. Returns a Cause when the spec asks for what this engine must not be given. */
  plan(input: LaunchInput): LaunchPlan | Cause;
  /** Liveness; `loading` is neither a pass nor a failure. */
  readonly liveness: { readonly ask: (spec: PoolSpec) => Ask; read(answer: Answer): 'ok' | 'loading' | 'error' };
  /**
   * Goes through the engine's work loop and says how much work there is; null: the engine offers none. `emptying` asks for
   * the whole truth (queued work too), and may then be more than one request.
   */
  readonly progress: {
    readonly asks: (spec: PoolSpec, emptying: boolean, soFar: readonly Answer[]) => Ask | null;
    read(spec: PoolSpec, answers: readonly Answer[]): Load | Cause;
    /** A text that changes whenever work that is in the engine gets anywhere; null: these answers tell nothing of it. */
    movement(answers: readonly Answer[]): string | null;
  } | null;
  /** Generates one token; null, also as the ask: the engine cannot be asked for one. */
  readonly token: { readonly ask: (spec: PoolSpec, model: ModelPresent) => Ask | null; read(answer: Answer): true | Cause } | null;
  /** What the engine's own output says about where weights and KV cache are. Nothing parsed is `unproven`, never `proven`. */
  residency(
    log: readonly string[],
    run: Pick<RunRecord, 'spec' | 'model' | 'gpus'>,
  ): { readonly verdict: Residency; readonly evidence: readonly string[] };
  /** The reason for an end, from exit and the last lines of output. */
  classifyExit(exit: EngineExit, tail: readonly string[]): Cause;
  /** Sent once, then the grace of `timeouts.stop_ms`, then KILL. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
}
