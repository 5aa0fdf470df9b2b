/**
 * The effects a pool asks for, by name and type. Placeholders: `actors/implementations.ts` provides the real ones.
 *
 * Promise actors reject with a plain `Failure`; callback actors send facts to the pool and undo themselves when stopped.
 */
import { fromCallback, fromPromise } from 'xstate';
import type { EngineFact, PoolNotice } from '../events.ts';
import type {
  Cause,
  EngineExit,
  EnginePresent,
  GpuRef,
  Inventory,
  ModelPresent,
  PoolMemory,
  PoolSpec,
  Proof,
  RunRecord,
  Stamp,
} from '../vocabulary.ts';

/** What every promise actor of ours rejects with. */
export interface Failure extends Stamp {
  readonly cause: Cause;
}

const notProvided = (name: string) => (): never => {
  throw new Error(`${name} was not provided`);
};
const promise = <Output, Input>(name: string) => fromPromise<Output, Input>(notProvided(name));
const callback = <Received extends { type: string }, Input>(name: string) => fromCallback<Received, Input>(notProvided(name));

export interface SpawnInput {
  readonly poolId: string;
  readonly spec: PoolSpec;
  readonly specHash: string;
  readonly engine: EnginePresent;
  readonly model: ModelPresent;
  readonly gpus: readonly GpuRef[];
  readonly reservedBytes: number | null;
}

export interface ProveInput {
  readonly run: RunRecord;
  /** managed: all proofs. adopted: listener and progress; `proof` is what was recorded. attached: health only. */
  readonly mode: 'managed' | 'adopted' | 'attached';
  readonly proof: Proof | null;
}

export interface StopOutput extends Stamp {
  /** Pids that would not die. */
  readonly survivors: readonly number[];
  readonly killed: boolean;
  readonly exit: EngineExit | null;
}

/** How eagerly probe-health asks: until the first pass; steadily; often and with queued work counted. */
export type ProbePace = 'loading' | 'steady' | 'emptying';

export const poolActors = {
  /** Finds (later: fetches, builds) the engine. */
  provisionEngine: promise<EnginePresent & Stamp, { readonly spec: PoolSpec }>('provisionEngine'),
  provisionModel: promise<ModelPresent & Stamp, { readonly spec: PoolSpec }>('provisionModel'),
  /** A fresh look at the cards and the VRAM this spec needs, before it is admitted. */
  measureGpus: promise<
    { readonly inventory: Inventory; readonly needBytes: number | null } & Stamp,
    { readonly spec: PoolSpec; readonly model: ModelPresent }
  >('measureGpus'),
  /** Leases a port, starts the process, ends with its record on disk. No undo: stopping it leaves the engine and its record. */
  spawnEngine: promise<{ readonly run: RunRecord } & Stamp, SpawnInput>('spawnEngine'),
  /** Proves that a recorded process is ours and alive. `gone`: it ended while nobody looked. */
  adoptEngine: promise<{ readonly verdict: 'ours' | 'gone' | 'stranger'; readonly cause: Cause | null } & Stamp, { readonly run: RunRecord }>(
    'adoptEngine',
  ),
  /** Writes the handoff file of our own engine. */
  announceHandoff: promise<Stamp, { readonly run: RunRecord }>('announceHandoff'),
  proveReadiness: promise<Proof & Stamp, ProveInput>('proveReadiness'),
  /** The only actor that ends an engine: its whole tree, its handoff file, its record. */
  stopEngine: promise<StopOutput, { readonly run: RunRecord }>('stopEngine'),
  /** Resolves when nothing is left of a tree that would not die. */
  awaitTreeGone: promise<Stamp, { readonly run: RunRecord; readonly survivors: readonly number[] }>('awaitTreeGone'),
  /** Resolves when no process of the pool is on its GPUs and their memory is accounted for; `released: false` at the limit; `null` when nothing is known of the GPU. */
  awaitRelease: promise<{ readonly released: boolean | null; readonly heldBytes: number | null } & Stamp, { readonly run: RunRecord }>(
    'awaitRelease',
  ),
  /** Drops record and port of a process that is not ours. No signal is sent. */
  dropRecord: promise<Stamp, { readonly run: RunRecord }>('dropRecord'),
  /** engine.gone, and engine.exited once it is known why. */
  watchEngine: callback<{ type: 'watch.none' }, { readonly run: RunRecord }>('watchEngine'),
  /** engine.stalled, while an engine loads. */
  watchStart: callback<{ type: 'watch.none' }, { readonly run: RunRecord; readonly stallMs: number }>('watchStart'),
  /** health.*, engine.loadChanged, engine.sampled. One probe outstanding at a time. */
  probeHealth: callback<{ readonly type: 'probe.paced'; readonly pace: ProbePace }, { readonly run: RunRecord; readonly pace: ProbePace }>(
    'probeHealth',
  ),
  /** Writes `<state>/pools/<pool>.json`, newest last, crash-safely; sends memory.failed and memory.kept. */
  keepMemory: callback<{ readonly type: 'memory.changed'; readonly memory: PoolMemory }, { readonly poolId: string }>('keepMemory'),
};

/** What callback actors of a pool may send. */
export type SentByActors = EngineFact | Extract<PoolNotice, { type: 'memory.failed' | 'memory.kept' | 'progress.made' }>;
