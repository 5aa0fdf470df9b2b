/** Claims about a pool that transitions depend on. Pure predicates over context; none reads `samples`. */
import { judgeHandoff } from '../policies/handoff.ts';
import { type Settlement, settle } from '../policies/settle.ts';
import type { Handoff, Load } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';

interface Args {
  readonly context: PoolContext;
}

const hasOwnEngine = (context: PoolContext) => context.origin !== 'attached' && context.run !== null;
const changesSpec = (context: PoolContext, specHash: string) => specHash !== (context.nextSpec ?? context).specHash;

export const guards = {
  hasRecordedEngine: ({ context }: Args) => context.recorded !== null,
  isAttached: ({ context }: Args) => context.origin === 'attached',
  isManaged: ({ context }: Args) => context.origin !== 'attached',
  mayStart: ({ context }: Args) => context.wanted === 'up' && context.gpus !== null,
  lacksGpus: ({ context }: Args) => context.wanted === 'up' && context.gpus === null && context.gpuCause !== null,
  isWanted: ({ context }: Args) => context.wanted === 'up',
  /** A command came while the engine was being spawned or adopted, when it could not be obeyed. */
  mustTurnBack: ({ context }: Args) =>
    context.wanted === 'down' || context.removing || context.shuttingDown || context.nextSpec !== null || context.gpuCause !== null,
  hasOwnEngine: ({ context }: Args) => hasOwnEngine(context),
  mayReload: ({ context }: Args, params: { specHash: string }) => hasOwnEngine(context) && changesSpec(context, params.specHash),
  changesSpec: ({ context }: Args, params: { specHash: string }) => changesSpec(context, params.specHash),

  handoffIsOurs: ({ context }: Args, params: { handoff: Handoff }) => params.handoff.ready && judgeHandoff(context.run, params.handoff) === 'ours',
  handoffWithdraws: ({ context }: Args, params: { handoff: Handoff }) =>
    !params.handoff.ready && judgeHandoff(context.run, params.handoff) === 'ours',

  isForeign: (_: Args, params: { outcome: string }) => params.outcome === 'foreign',
  reachesFailureThreshold: ({ context }: Args) => context.health.failures + 1 >= context.spec.health.failures,
  /** Two good probes in a row bring a failed engine back. */
  isSecondPass: ({ context }: Args) => context.health.passes + 1 >= 2,

  attachedFailsForGood: ({ context }: Args) => context.origin === 'attached' && context.health.failures + 1 >= context.spec.health.failures,
  handoffAttaches: ({ context }: Args, params: { handoff: Handoff }) => context.origin === 'attached' && params.handoff.ready,
  handoffEndsAttached: ({ context }: Args, params: { handoff: Handoff }) => context.origin === 'attached' && !params.handoff.ready,
  handoffMovesAttached: ({ context }: Args, params: { handoff: Handoff }) =>
    context.origin === 'attached' && params.handoff.ready && params.handoff.endpoint !== context.run?.endpoint,

  isDrainedForHealth: ({ context }: Args) => context.drain?.why === 'health',
  mayResume: ({ context }: Args) => context.drain?.why === 'operator' && !context.removing && !context.shuttingDown,
  isEmpty: (_: Args, params: { load: Load }) => params.load.inFlight === 0,
  hasSurvivors: (_: Args, params: { survivors: readonly number[] }) => params.survivors.length > 0,
  isStillHeld: (_: Args, params: { released: boolean | null }) => params.released === false,

  isVerdict: (_: Args, params: { verdict: 'ours' | 'gone' | 'stranger'; is: 'gone' | 'stranger' }) => params.verdict === params.is,
  wasIn: ({ context }: Args, params: { phase: 'proving' | 'emptying' | 'stopping' }) =>
    params.phase === 'proving'
      ? context.recorded?.phase === 'proving' || context.recorded?.phase === 'ready'
      : context.recorded?.phase === params.phase,

  settlesAs: ({ context }: Args, params: { as: Settlement }) =>
    params.as ===
    settle({
      origin: context.origin,
      wanted: context.wanted,
      removing: context.removing,
      shuttingDown: context.shuttingDown,
      hasNextSpec: context.nextSpec !== null,
      mayRollBack: context.reload !== null && context.reload.previous !== null && context.reload.gaveUp === null,
      reason: context.reason?.code ?? null,
    }),
};
