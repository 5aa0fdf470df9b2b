/**
 * Every event a machine receives. Start reading here.
 *
 * Commands are `noun.verb`, facts `noun.pastParticiple`. Every event carries a stamp; facts are plain data that the rims
 * have validated. xstate's own events (`xstate.done.actor.*`, `xstate.error.actor.*`, `xstate.after.*`) complete the list.
 */
import type { GpuStanding } from './policies/gpu-standing.ts';
import type {
  BootPool,
  Cause,
  EngineExit,
  GpuFinding,
  GpuRef,
  Handoff,
  HandoffOutcome,
  Inventory,
  Load,
  PoolOrigin,
  PoolSpec,
  PoolState,
  ProbeOutcome,
  Progress,
  ProvisionPhase,
  Stamp,
  XidReport,
} from './vocabulary.ts';

/** What people and programs ask of a pool. `poolId` of events is that of the berth, see `policies/berths.ts`. */
export type PoolCommand = Stamp &
  (
    | { readonly type: 'pool.start' }
    | { readonly type: 'pool.drain'; readonly deadlineMs: number | null }
    | { readonly type: 'pool.resume' }
    | {
        readonly type: 'pool.reload';
        readonly spec: PoolSpec;
        readonly specHash: string;
        readonly operationId: string;
        /** It is what is declared, and nobody ordered it: a pool that is wanted down takes it up and stays down. */
        readonly byDeclaration?: true;
        /** What its engine had, and an earlier daemon proved: there is something to go back to, also where that engine has ended since. */
        readonly previous?: { readonly spec: PoolSpec; readonly specHash: string };
      }
    /** `cause`: where it is not the pool that goes but one engine of it. */
    | { readonly type: 'pool.remove'; readonly cause?: Cause }
    /** The node shuts down and takes its engines with it; what is wanted stays as it is. */
    | { readonly type: 'pool.shutDown' }
  );

/** From watch-engine, watch-start and probe-health, about the engine of this pool. */
export type EngineFact = Stamp &
  (
    | { readonly type: 'engine.exited'; readonly exit: EngineExit; readonly cause: Cause; readonly tail: readonly string[] }
    /** Comes before it: the process has ended, and why is not known yet. Nothing is to be sent to it meanwhile. */
    | { readonly type: 'engine.gone'; readonly exit: EngineExit }
    /** No sign of progress for `start_stall_ms`. */
    | { readonly type: 'engine.stalled'; readonly cause: Cause }
    /** Slots or in-flight work differ from what was last said, or a fresh reading was asked for. */
    | { readonly type: 'engine.loadChanged'; readonly load: Load }
    /** For display only: nothing is decided by it and it is not journaled. */
    | { readonly type: 'engine.sampled'; readonly outcome: ProbeOutcome; readonly load: Load; readonly vramUsedBytes: number | null }
    /** Said for the first passes after anything else; a steady engine is only sampled. */
    | { readonly type: 'health.passed'; readonly outcome: 'ok' | 'busy'; readonly load: Load }
    | {
        readonly type: 'health.failed';
        readonly outcome: Exclude<ProbeOutcome, 'ok' | 'busy'>;
        readonly cause: Cause;
        /** Most engines of the daemon failed in the same way at the same time. */
        readonly hostSuspected: boolean;
      }
    | { readonly type: 'residency.violated'; readonly cause: Cause }
  );

/** From the node to one of its pools, in consequence of something else: nothing is timed by them. */
export type PoolHint =
  /** Something that a blocked pool may wait for has changed. */
  | { readonly type: 'resources.changed' }
  /** The control plane has taken note that this pool drains, or there is none. */
  | { readonly type: 'drain.acknowledged' }
  /** It has taken the place of the engine beside it; `restarts`: what the pool had come to with that. */
  | { readonly type: 'pool.succeeded'; readonly restarts: number }
  /** It was declared over the API; the pools file has come to declare it. */
  | { readonly type: 'pool.filed' };

/** From the node and from keep-memory to a pool. */
export type PoolNotice = Stamp &
  (
    | { readonly type: 'handoff.appeared'; readonly handoff: Handoff }
    /** Times, probes and the restart policy of the spec changed; the engine may stay. For whoever has that spec. */
    | { readonly type: 'spec.adjusted'; readonly spec: PoolSpec; readonly specHash: string }
    /** The devices of the spec exist and may be used. */
    | { readonly type: 'gpus.matched'; readonly gpus: readonly GpuRef[] }
    /** They do not, or no longer. */
    | { readonly type: 'gpus.unmatched'; readonly cause: Cause }
    | { readonly type: 'admission.granted'; readonly gpus: readonly GpuRef[]; readonly reservedBytes: number | null }
    | { readonly type: 'admission.refused'; readonly cause: Cause }
    /** The kernel says that what this engine had on a GPU is dead; the GPU goes on. */
    | { readonly type: 'engine.faulted'; readonly cause: Cause }
    /** For display only: nothing is decided by it and it is not journaled. */
    | ({ readonly type: 'progress.made'; readonly step: 'engine' | 'model' } & Progress)
    /** Provisioning has come to another part of its work. */
    | { readonly type: 'provision.advanced'; readonly step: 'engine' | 'model'; readonly phase: ProvisionPhase }
    /** What became of a reload whose new engine was never ready beside this one. */
    | {
        readonly type: 'reload.concluded';
        readonly operationId: string;
        readonly outcome: Exclude<ReloadOutcome, 'reloaded'>;
        readonly cause: Cause;
      }
    /** keep-memory could not write `<state>/pools/<pool>.json`. */
    | { readonly type: 'memory.failed'; readonly cause: Cause }
    | { readonly type: 'memory.kept' }
  );

export type PoolEvent = PoolCommand | EngineFact | PoolNotice | PoolHint;

/** `given_up`: it came to rest with neither the new spec nor the old one ready. */
export type ReloadOutcome = 'reloaded' | 'rolled_back' | 'given_up';

/** What a pool tells its node. Not stamped by a clock: the stamp is that of the event that caused it. */
export type PoolReport =
  | {
      readonly type: 'pool.changed';
      readonly poolId: string;
      readonly state: PoolState;
      readonly live: boolean;
      readonly ready: boolean;
      readonly draining: boolean;
      readonly slotsFree: number | null;
      readonly slotsTotal: number | null;
      /** Its latest probe failed together with those of most other engines. */
      readonly hostSuspected: boolean;
      readonly restarts: number;
      readonly specHash: string;
      /** Of the spec that it has. */
      readonly devices: PoolSpec['devices'];
    }
  | {
      readonly type: 'admission.requested';
      readonly poolId: string;
      readonly devices: PoolSpec['devices'];
      readonly tensorSplit: PoolSpec['tensor_split'];
      readonly needBytes: number | null;
      readonly inventory: Inventory;
    }
  /** It is known whose process the recorded one is. */
  | { readonly type: 'adoption.settled'; readonly poolId: string }
  | { readonly type: 'reservation.released'; readonly poolId: string }
  /** It was resumed with a spec in wait that nobody had ordered: it goes on as it was, and what is declared is still to come. */
  | { readonly type: 'declaration.waits'; readonly poolId: string; readonly stamp: Stamp }
  /** Draining and waiting for the control plane to know. */
  | { readonly type: 'drain.announced'; readonly poolId: string }
  | { readonly type: 'handoff.settled'; readonly poolId: string; readonly file: string; readonly outcome: HandoffOutcome }
  | { readonly type: 'pool.backedOff'; readonly poolId: string; readonly mono: number }
  | {
      readonly type: 'reload.settled';
      readonly poolId: string;
      readonly operationId: string;
      readonly outcome: ReloadOutcome;
      readonly cause: Cause | null;
      /** Null: a timer brought it about. */
      readonly stamp: Stamp | null;
    }
  /** Something of this pool that will not go is on these cards: nothing else may be put there. */
  | { readonly type: 'quarantine.requested'; readonly poolId: string; readonly gpus: readonly GpuRef[]; readonly cause: Cause }
  /** What would not die is gone. VRAM that was not released is the ledger's to judge. */
  | { readonly type: 'quarantine.lifted'; readonly poolId: string }
  | { readonly type: 'pool.ended'; readonly poolId: string };

/** From the node to the chart of one card. `begunMono`: when the look began; what came later it cannot know. */
export type GpuNotice = Stamp &
  (
    | { readonly type: 'gpu.checked'; readonly finding: GpuFinding; readonly begunMono: number }
    | { readonly type: 'gpu.xid'; readonly report: XidReport }
  );

/** What the chart of a card tells its node. */
export type GpuReport =
  | { readonly type: 'gpu.changed'; readonly standing: GpuStanding }
  /** What was running there is dead, the card itself is not. */
  | { readonly type: 'gpu.faulted'; readonly uuid: string; readonly report: XidReport; readonly cause: Cause; readonly stamp: Stamp }
  | { readonly type: 'gpu.lookWanted' };

/** From watch-kernel. */
export type KernelEvent = Stamp &
  (
    | { readonly type: 'kernel.xid'; readonly report: XidReport }
    /** Null: it is read. */
    | { readonly type: 'kernel.followed'; readonly cause: Cause | null }
  );

/** From watch-gpus. */
export type GpuEvent = Stamp &
  /** Cards came, went, or were renumbered; also the first probe and the first after blindness. */
  (
    | { readonly type: 'gpu.discovered'; readonly inventory: Inventory }
    /** Memory, temperature, processes: for display only. */
    | { readonly type: 'gpu.sampled'; readonly inventory: Inventory }
    | { readonly type: 'gpu.probeFailed'; readonly cause: Cause }
    /** Told when it differs from what was told last of this card, and at every look of a card that is not well. */
    | { readonly type: 'gpu.checked'; readonly uuid: string; readonly finding: GpuFinding; readonly begunMono: number }
  );

/** From watch-handoffs. */
export type HandoffEvent = Stamp &
  (
    | { readonly type: 'handoff.appeared'; readonly handoff: Handoff }
    | { readonly type: 'handoff.rejected'; readonly file: string; readonly message: string }
  );

export type NodeCommand = Stamp &
  (
    | { readonly type: 'pool.declared'; readonly spec: PoolSpec; readonly specHash: string; readonly origin: Exclude<PoolOrigin, 'attached'> }
    /** A command for one pool, addressed by id; unknown ids are ignored here and answered 404 at the rim. */
    | { readonly type: 'pool.commanded'; readonly poolId: string; readonly command: PoolCommand }
    /** A valid pools file replaced the last one. */
    | { readonly type: 'pools.configured'; readonly pools: readonly { readonly spec: PoolSpec; readonly specHash: string }[] }
    /** The pools file was changed and is not valid: one line per mistake. What is declared stays. */
    | { readonly type: 'pools.rejected'; readonly mistakes: readonly string[] }
    | { readonly type: 'node.register' }
    | { readonly type: 'node.heartbeat' }
    | { readonly type: 'node.stop'; readonly mode: 'keep' | 'drain' }
  );

/** What registration tells the node. */
export type RegistrationReport =
  /** The control plane answered 200 to a heartbeat that said these pools are draining. */
  { readonly type: 'heartbeat.acknowledged'; readonly draining: readonly string[] } | { readonly type: 'registration.ended' };

/** A child of the node came to its end with an error: xstate's own event. */
export type ChildFailure = { readonly type: `xstate.error.actor.${string}`; readonly error: unknown; readonly actorId: string };

export type NodeEvent =
  | NodeCommand
  | GpuEvent
  | GpuReport
  | KernelEvent
  | HandoffEvent
  | PoolReport
  | RegistrationReport
  | ChildFailure
  /** From recall-pool. */
  | (Stamp & { readonly type: 'pool.recalled'; readonly pool: BootPool });

/** An order to go over to another spec. */
export type ReloadOrder = Extract<PoolCommand, { readonly type: 'pool.reload' }>;

export type RegistrationEvent =
  | (Stamp & { readonly type: 'node.register' })
  | (Stamp & { readonly type: 'node.heartbeat' })
  /** Pools were added or removed, or their GPUs changed: register again. */
  | { readonly type: 'roster.changed' }
  /** Readiness, draining or slots to or from 0: a heartbeat now. */
  | { readonly type: 'readiness.changed' }
  | { readonly type: 'node.deregister' };
