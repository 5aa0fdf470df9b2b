/** Claims about a pool that transitions depend on. Pure predicates over context; none reads `samples`. */
import { judgeHandoff } from '../policies/handoff.ts';
import { type Settlement, settle } from '../policies/settle.ts';
import type { Handoff, Load, ProvisionPhase, Residency } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';
import { staysDown } from './orders.ts';

interface Args {
  readonly context: PoolContext;
}

interface ProbeFailure {
  readonly outcome: string;
  readonly hostSuspected: boolean;
}

const isManaged = (context: PoolContext) => context.origin !== 'attached';
/** Ours, identified and not yet ended. */
const runsEngine = (context: PoolContext) => isManaged(context) && context.run !== null && context.recorded === null;
const changesSpec = (context: PoolContext, specHash: string) => specHash !== (context.nextSpec ?? context).specHash;
/** What most engines fail at once is waited out for one more probe. */
const failsForGood = ({ health, spec }: PoolContext, { outcome, hostSuspected }: ProbeFailure) =>
  outcome === 'wedged' || health.failures + 1 >= spec.health.failures + (hostSuspected && outcome !== 'foreign' ? 1 : 0);
/** An order stands against an engine that goes on as it is. */
const isOrderedAway = (context: PoolContext) => context.wanted === 'down' || context.removing || context.shuttingDown || context.nextSpec !== null;
const isDrainedForHealth = (context: PoolContext) => context.drain?.why === 'health';
/** The recorded drain was for its health, in a grace that is no longer what counts. */
const hasLostGrace = (context: PoolContext) =>
  context.recorded?.phase === 'emptying' && context.recorded.drain?.why === 'health' && (isOrderedAway(context) || context.gpuCause !== null);

/** Drains that an order may still take the place of. */
const yields: ReadonlySet<string> = new Set(['health', 'reload', 'withdrawn']);
const resumable: ReadonlySet<string> = new Set(['operator', 'reload', 'withdrawn']);

const shortensDrain = ({ drain }: PoolContext, deadlineMs: number | null, mono: number): boolean =>
  drain?.why === 'operator' && deadlineMs !== null && drain.startedMono !== null && mono + deadlineMs < drain.startedMono + drain.deadlineMs;

export const guards = {
  hasRecordedEngine: ({ context }: Args) => context.recorded !== null,
  isAttached: ({ context }: Args) => !isManaged(context),
  isManaged: ({ context }: Args) => isManaged(context),
  mayStart: ({ context }: Args) => context.wanted === 'up' && context.gpus !== null,
  /** An earlier daemon had begun to wait before it tried this spec again. */
  mustWaitOn: ({ context }: Args) =>
    context.wanted === 'up' && context.gpus !== null && context.recordedRetry !== null && context.recordedRetry.specHash === context.specHash,
  lacksGpus: ({ context }: Args) => context.wanted === 'up' && context.gpus === null && context.gpuCause !== null,
  hasGpus: ({ context }: Args) => context.gpus !== null,
  mayLeaveOffline: ({ context }: Args) => isManaged(context) && !context.shuttingDown,
  /** A command came while the engine was being spawned or adopted, when it could not be obeyed. */
  mustTurnBack: ({ context }: Args) => isOrderedAway(context) || context.gpuCause !== null,
  runsEngine: ({ context }: Args) => runsEngine(context),
  runsOtherSpec: ({ context }: Args, params: { specHash: string }) => runsEngine(context) && changesSpec(context, params.specHash),
  /** Of the spec that it runs, or that waits. */
  isOfOwnSpec: ({ context }: Args, params: { specHash: string }) => !changesSpec(context, params.specHash),
  changesSpec: ({ context }: Args, params: { specHash: string }) => changesSpec(context, params.specHash),
  /** What is declared changed, and nobody wants the pool up. */
  staysDown: ({ context }: Args, params: { byDeclaration?: true }) => staysDown(context, params),

  advances: (_: Args, { event, ...to }: { event: { step: string; phase: string }; step: 'engine' | 'model'; phase: ProvisionPhase }) =>
    event.step === to.step && event.phase === to.phase,
  showsResidency: ({ context }: Args, params: { residency: Residency }) =>
    !isManaged(context) || params.residency === 'proven' || params.residency === 'simulated',
  /** An adopted engine served before: one proof that fails is no more than probes that fail. */
  servedBefore: ({ context }: Args, params: { code: string }) => isManaged(context) && context.proof !== null && params.code === 'health_failed',

  handoffIsOurs: ({ context }: Args, params: { handoff: Handoff }) => params.handoff.ready && judgeHandoff(context.run, params.handoff) === 'ours',
  handoffWithdraws: ({ context }: Args, params: { handoff: Handoff }) =>
    isManaged(context) && !params.handoff.ready && judgeHandoff(context.run, params.handoff) === 'ours',
  handoffAttaches: ({ context }: Args, params: { handoff: Handoff }) => !isManaged(context) && !context.shuttingDown && params.handoff.ready,
  handoffEndsAttached: ({ context }: Args, params: { handoff: Handoff }) => !isManaged(context) && !params.handoff.ready,
  /** Another endpoint, or another engine behind the same one. */
  handoffMovesAttached: ({ context: { origin, run } }: Args, { handoff }: { handoff: Handoff }) =>
    origin === 'attached' &&
    handoff.ready &&
    (handoff.endpoint !== run?.endpoint || (handoff.pid ?? 0) !== run.pid || (handoff.incarnation ?? handoff.replicaId) !== run.incarnation),

  isForeign: ({ context }: Args, params: { outcome: string }) => runsEngine(context) && params.outcome === 'foreign',
  /** So many failed probes in a row, or one that shows work standing still. */
  failsForGood: ({ context }: Args, params: ProbeFailure) => failsForGood(context, params),
  attachedFailsForGood: ({ context }: Args, params: ProbeFailure) => !isManaged(context) && failsForGood(context, params),
  /** Two good probes in a row bring a failed engine back, at once or, where it flaps, at the end of its grace. */
  comesBackAtOnce: ({ context }: Args) => !context.leaving.again && context.health.passes + 1 >= 2,
  comesBackInTheEnd: ({ context }: Args) => isDrainedForHealth(context) && context.health.passes >= 2,

  isDrainedForHealth: ({ context }: Args) => isDrainedForHealth(context),
  isSickWithOtherSpec: ({ context }: Args, params: { specHash: string }) => isDrainedForHealth(context) && changesSpec(context, params.specHash),
  /** The pool drains for something that may still pass, or for longer than is now asked. */
  drainGoesFirst: ({ context }: Args, params: { deadlineMs: number | null; mono: number }) =>
    !context.removing &&
    !context.shuttingDown &&
    context.drain !== null &&
    (yields.has(context.drain.why) || shortensDrain(context, params.deadlineMs, params.mono)),
  mayResume: ({ context }: Args) =>
    context.drain !== null && resumable.has(context.drain.why) && context.proof !== null && !context.removing && !context.shuttingDown,
  isEmpty: (_: Args, params: { load: Load }) => params.load.inFlight === 0,
  hasSurvivors: (_: Args, params: { survivors: readonly number[] }) => params.survivors.length > 0,
  isStillHeld: (_: Args, params: { released: boolean | null }) => params.released === false,

  isVerdict: (_: Args, params: { verdict: 'ours' | 'gone' | 'stranger'; is: 'gone' | 'stranger' }) => params.verdict === params.is,
  wasStopping: ({ context }: Args) => context.recorded?.phase === 'stopping',
  wasRecovering: ({ context }: Args) =>
    context.recorded?.phase === 'emptying' &&
    context.recorded.drain?.why === 'health' &&
    context.recorded.proof !== null &&
    context.gpuCause === null &&
    !isOrderedAway(context),
  wasEmptying: ({ context }: Args) => context.recorded?.phase === 'emptying' && !hasLostGrace(context),
  wasProving: ({ context }: Args) => context.recorded?.phase === 'proving' || context.recorded?.phase === 'ready',
  /** It may have work to finish. */
  mustEmptyFirst: ({ context }: Args) =>
    (context.recorded?.phase === 'ready' || hasLostGrace(context)) && context.gpuCause === null && isOrderedAway(context),

  settlesAs: ({ context }: Args, params: { as: Settlement }) =>
    params.as ===
    settle({
      origin: context.origin,
      wanted: context.wanted,
      removing: context.removing,
      beside: context.reload?.beside ?? false,
      shuttingDown: context.shuttingDown,
      hasNextSpec: context.nextSpec !== null,
      mayRollBack: context.reload !== null && context.reload.previous !== null && context.reload.gaveUp === null,
      lacksGpus: context.gpus === null && context.gpuCause !== null,
      reason: context.reason?.code ?? null,
    }),
};
