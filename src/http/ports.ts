/**
 * What the HTTP rim needs from the daemon; `daemon.ts` hands it in. Routes know these interfaces and the views only:
 * never an actor, never a machine.
 */
import type { ReasonCode } from '../machines/reasons.ts';
import type { GpuView, NodeView, PoolStatus } from '../machines/views.ts';
import type { PoolSpec } from '../machines/vocabulary.ts';

export type PoolCommandName = 'preload' | 'drain' | 'resume' | 'reload' | 'remove';

/** What a pool was declared as, and what of each GPU its engine was promised. */
export interface DeclaredSpec {
  /** Secrets taken out. */
  readonly spec: Readonly<Record<string, unknown>>;
  readonly spec_hash: string;
  /** What the pools file says instead, where an order over the API counts; null: nothing else, or it does not know the pool. */
  readonly filed: Readonly<Record<string, unknown>> | null;
  /** Granted to the engine that runs; null: none runs, or nothing was estimated. */
  readonly reserved_bytes: number | null;
}

export type CommandResult =
  | { readonly ok: true; readonly status: PoolStatus; readonly operationId: string | null }
  /** 404. */
  | { readonly ok: false; readonly problem: 'unknown_pool' }
  /** 409: names the state and what it accepts. */
  | {
      readonly ok: false;
      readonly problem: 'illegal';
      readonly message: string;
      readonly state: string;
      readonly accepts: readonly PoolCommandName[];
    }
  /** 503: the ledger knows already that it cannot fit. */
  | {
      readonly ok: false;
      readonly problem: 'unavailable';
      readonly code: ReasonCode;
      readonly message: string;
      readonly retryAfterMs: number;
      readonly details: Readonly<Record<string, unknown>>;
    }
  /** 429: the node has as many pools as there may be. */
  | { readonly ok: false; readonly problem: 'too_many'; readonly message: string; readonly retryAfterMs: number }
  /** 422: the new spec is not valid. One line per mistake. */
  | { readonly ok: false; readonly problem: 'invalid'; readonly mistakes: readonly string[] };

/** Fields of the spec to replace, or all of it by what the pools file says. */
export type SpecChanges = Readonly<Record<string, unknown>> | 'as_filed';

export interface NodePort {
  readonly version: string;
  uptimeMs(): number;
  node(): NodeView;
  /** Sorted by id. */
  pools(): readonly PoolStatus[];
  pool(id: string): PoolStatus | null;
  gpus(): readonly GpuView[];
  /** What the pool takes where it stands; empty for one that is not there. */
  accepts(id: string): readonly PoolCommandName[];
  /** Null: there is no such pool. */
  spec(id: string): DeclaredSpec | null;
  /** Reasons why /ready is 503; empty when it is 200. */
  notReady(): readonly string[];
  /** This and the next three resolve when what is wanted is on disk, so that a crash does not take back what was answered 202. */
  preload(id: string): Promise<CommandResult>;
  drain(id: string, deadlineMs: number | null): Promise<CommandResult>;
  resume(id: string): Promise<CommandResult>;
  /** No operation where the changes are such that the engine goes on as it is: nothing more is told then. */
  reload(id: string, changes: SpecChanges): Promise<CommandResult>;
  /** POOL_EXISTS is `illegal`. Resolves when the declaration is on disk. */
  declare(spec: PoolSpec): Promise<CommandResult>;
  remove(id: string): Promise<CommandResult>;
  /** Registers with orchestratord now; the answer, or why there is none (502). */
  registerNow(): Promise<OrchestratorAnswer>;
  heartbeatNow(): Promise<OrchestratorAnswer>;
}

export type OrchestratorAnswer =
  | { readonly ok: true; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly message: string };

/** One transition of a machine, as journaled. */
export interface TransitionRecord {
  /** Journal sequence number; also the SSE id. */
  readonly seq: number;
  readonly at: string;
  readonly pool_id: string | null;
  readonly actor: string;
  readonly event: string;
  /** `ready.healthy` */
  readonly from: string;
  readonly to: string;
  readonly reason: { readonly code: ReasonCode; readonly message: string } | null;
  readonly incarnation: string | null;
  /** `reloaded`, `rolled_back`, … for events that are outcomes; else null. */
  readonly outcome: string | null;
}

export interface JournalPort {
  /** Newest first; `before`: only records with a smaller seq. */
  poolEvents(poolId: string, query: { readonly limit: number; readonly before: number | null }): Promise<readonly TransitionRecord[]>;
  /** Every transition with seq > `after` (null: only what comes from now on), in order. Returns the way to stop. */
  follow(after: number | null, listener: (record: TransitionRecord) => void): () => void;
}

export interface LogsPort {
  /** Last `tail` lines of the current or the previous run; null when there is no such run. */
  read(poolId: string, query: { readonly tail: number; readonly run: 'current' | 'previous' }): Promise<readonly LogLine[] | null>;
  /** Lines as they come, from after `afterOffset` (null: from now). Returns the way to stop. */
  follow(poolId: string, afterOffset: number | null, listener: (line: LogLine) => void): () => void;
}

export interface LogLine {
  /** Place after this line in all that the engines of the pool ever wrote; grows over cuts and from run to run: the resume id. */
  readonly offset: number;
  readonly text: string;
}

/** One thing that an actor of the daemon did, under the names of XState's inspection events. */
export interface InspectMessage {
  /** Grows from message to message, over restarts too. */
  readonly id: number;
  readonly type: '@xstate.actor' | '@xstate.event' | '@xstate.microstep' | '@xstate.snapshot' | 'reset';
  readonly [field: string]: unknown;
}

export interface InspectPort {
  /** The actors that live and what is remembered of what they did, after `after` (null: all of it), then what they do. */
  follow(after: number | null, listener: (message: InspectMessage) => void): () => void;
}

export interface MetricsPort {
  /** Prometheus text. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** One mistake in a pool declaration: which key, what was found there, what was expected. */
export interface SpecMistake {
  readonly key: string;
  readonly value: unknown;
  readonly expected: string;
}

/** From config: a pool declaration as it came over the wire, checked and with every default filled in. */
export type ParsePoolSpec = (
  value: unknown,
) => { readonly ok: true; readonly spec: PoolSpec } | { readonly ok: false; readonly mistakes: readonly SpecMistake[] };

/** In PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** Who signed the certificates that clients must show; null: they need none. */
  readonly clientCa: string | null;
}

/** Who may ask. */
export interface AuthOptions {
  /** Read at each request, so that it can rotate; null: none is set. */
  token(): string | null;
  readonly bind: { readonly host: string; readonly port: number; readonly loopback: boolean };
  /** Host names that clients use for this machine besides localhost, the bind address and the node's own. */
  readonly allowedHosts: readonly string[];
}

/** Makes each request a span; null where nobody asked for traces. */
export interface RequestTracer {
  begin(request: { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, string | string[] | undefined>> }): {
    readonly traceId: string;
    end(status: number): void;
  };
}

/** A pino logger fits. */
export interface HttpLogger {
  /** Without it every level counts as enabled. */
  isLevelEnabled?(level: string): boolean;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
