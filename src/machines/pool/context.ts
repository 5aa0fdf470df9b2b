/**
 * What a pool knows. Plain data, changed only by the assigns in `actions.ts`.
 *
 * `samples` is for display: no guard reads it and the journal's fold compares contexts without it.
 */
import { type Leaving, neverLeft } from '../policies/flapping.ts';
import { freshRestart } from '../policies/restart.ts';
import type { ReasonCode } from '../reasons.ts';
import type {
  Cause,
  DrainWhy,
  EngineExit,
  EnginePresent,
  GpuRef,
  Handoff,
  Load,
  ModelPresent,
  PoolMemory,
  PoolOrigin,
  PoolSpec,
  ProbeOutcome,
  Progress,
  Proof,
  RestartMemory,
  RetryMemory,
  RunRecord,
  Wanted,
} from '../vocabulary.ts';
import { attachedRun } from './attached.ts';

export interface PoolInput {
  /** Of its berth, see `policies/berths.ts`; the public id is that of the spec. */
  readonly poolId: string;
  readonly origin: PoolOrigin;
  readonly spec: PoolSpec;
  readonly specHash: string;
  /** The devices of the spec as matched by the node; null while GPUs are unknown or do not fit. */
  readonly gpus: readonly GpuRef[] | null;
  /** Why they do not fit; null while unknown. */
  readonly gpuCause: Cause | null;
  /** Engine recorded by an earlier daemon, to be adopted. */
  readonly run: RunRecord | null;
  readonly memory: PoolMemory | null;
  /** What an attached pool was made from. */
  readonly handoff: Handoff | null;
  /** No valid file declares this pool any more: adopt and drain it. */
  readonly orphaned: boolean;
  /** The pool's engine serves on in the other berth until this one is ready; null: there is none. */
  readonly beside: { readonly operationId: string } | null;
  /** The spec was ordered of an earlier daemon, which did not live to see it come up; `previous`: what to go back to. */
  readonly reloading: { readonly operationId: string; readonly previous: Declared } | null;
}

export interface Declared {
  readonly spec: PoolSpec;
  readonly specHash: string;
}

/** A cause and when it came; null where a timer brought it. `ending`: of the engine, where its end brought it. */
export type Blame = Cause & { readonly at: number | null; readonly ending?: Ending };

export interface Ending {
  readonly exit: EngineExit;
  /** Last lines of its output. */
  readonly tail: readonly string[];
}

export interface Drain {
  readonly why: DrainWhy;
  readonly deadlineMs: number;
  /** Null when it began at a moment nobody stamped. */
  readonly startedMono: number | null;
  /** The same on the wall clock, for display. */
  readonly startedAt: number | null;
  readonly forced: boolean;
}

/** Probes in a row. `hostSuspected`: the latest failed together with those of most other engines. */
export interface ProbeTally {
  readonly failures: number;
  readonly passes: number;
  readonly hostSuspected: boolean;
  /** What the latest failed by; null: it passed, or none is known. */
  readonly failed: { readonly code: ReasonCode; readonly message: string } | null;
}

export interface Reload {
  readonly operationId: string;
  /** The spec that ran before; null when none was running. */
  readonly previous: Declared | null;
  /** Why the new spec was given up, if it was; set while the old one is brought back. */
  readonly gaveUp: Cause | null;
  /** The old engine runs in the pool's other berth: without a new one that is ready nothing is lost. */
  readonly beside: boolean;
}

export interface PoolContext {
  readonly poolId: string;
  readonly origin: PoolOrigin;
  readonly spec: PoolSpec;
  readonly specHash: string;
  readonly nextSpec: Declared | null;
  readonly reload: Reload | null;
  readonly wanted: Wanted;
  readonly removing: boolean;
  readonly shuttingDown: boolean;
  readonly reason: Blame | null;
  readonly lastError: Blame | null;
  /** What the reason will be once an engine that will not die is gone; null while none is stuck. */
  readonly stuckOver: { readonly reason: Blame | null } | null;
  readonly gpus: readonly GpuRef[] | null;
  readonly gpuCause: Cause | null;
  readonly engine: EnginePresent | null;
  readonly model: ModelPresent | null;
  readonly reservedBytes: number | null;
  readonly run: RunRecord | null;
  /** Where an adopted engine was, until it is there again. */
  readonly recorded: Pick<PoolMemory, 'phase' | 'proof' | 'drain'> | null;
  readonly proof: Proof | null;
  readonly load: Load;
  readonly health: ProbeTally;
  readonly leaving: Leaving;
  readonly drain: Drain | null;
  readonly survivors: readonly number[];
  readonly restart: RestartMemory;
  /** `at` and `mono`: when it is due; null where a timer brought the failure. */
  readonly retry: { readonly delayMs: number; readonly at: number | null; readonly mono: number | null } | null;
  /** The wait that an earlier daemon had begun; null once it is gone on with, or is not ours to go on with. */
  readonly recordedRetry: RetryMemory | null;
  /** What memory says of where the engine is. */
  readonly phase: PoolMemory['phase'];
  readonly memoryFailed: Cause | null;
  readonly samples: {
    readonly at: number | null;
    readonly outcome: ProbeOutcome | null;
    readonly load: Load | null;
    readonly vramUsedBytes: number | null;
    /** Engine and model are made present side by side. */
    readonly progress: { readonly engine: Progress | null; readonly model: Progress | null };
  };
}

export const noProbes: ProbeTally = { failures: 0, passes: 0, hostSuspected: false, failed: null };

export const noProgress: PoolContext['samples']['progress'] = { engine: null, model: null };

export const unknownLoad: Load = { slotsTotal: null, slotsFree: null, inFlight: null };

const reloadOf = ({ beside, reloading }: PoolInput): Reload | null => {
  if (beside !== null) return { operationId: beside.operationId, previous: null, gaveUp: null, beside: true };
  return reloading && { ...reloading, gaveUp: null, beside: false };
};

export const initialContext = (input: PoolInput): PoolContext => ({
  poolId: input.poolId,
  origin: input.origin,
  spec: input.spec,
  specHash: input.specHash,
  nextSpec: null,
  reload: reloadOf(input),
  wanted: input.orphaned ? 'down' : (recalledWish(input) ?? (input.spec.preload || input.beside !== null ? 'up' : 'down')),
  removing: input.orphaned,
  shuttingDown: false,
  reason: recalledReason(input),
  lastError: null,
  stuckOver: null,
  gpus: input.gpuCause === null ? (input.run?.gpus ?? input.gpus) : null,
  gpuCause: input.gpuCause,
  engine: null,
  model: input.run?.model ?? null,
  reservedBytes: input.run?.reservedBytes ?? null,
  run: input.run ?? (input.handoff ? attachedRun(input.handoff, input.spec, input.specHash) : null),
  recorded: input.run ? { phase: input.memory?.phase ?? null, proof: input.memory?.proof ?? null, drain: input.memory?.drain ?? null } : null,
  proof: null,
  load: unknownLoad,
  health: noProbes,
  leaving: neverLeft,
  drain: null,
  survivors: [],
  restart: input.memory?.restart ?? freshRestart,
  retry: null,
  recordedRetry: input.memory?.retry ?? null,
  phase: null,
  memoryFailed: null,
  samples: { at: null, outcome: null, load: null, vramUsedBytes: null, progress: noProgress },
});

/** What was wanted of it; null: nobody said. One that went because nobody declared it any more, and is declared again, was never ordered down. */
const recalledWish = ({ memory }: PoolInput): Wanted | null => (memory === null || memory.drain?.why === 'remove' ? null : memory.wanted);

/** Nothing of the pool runs, as was ordered. Of an engine that is to end, the chart says why. */
const recalledReason = ({ run, memory, orphaned }: PoolInput): Blame | null =>
  run === null && memory?.wanted === 'down' && !orphaned
    ? { code: 'operator', message: 'was wanted down already when the daemon before this one ended', at: null }
    : null;
