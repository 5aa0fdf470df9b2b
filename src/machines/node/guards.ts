/** Claims about a node that transitions depend on. Pure predicates over context; none reads `samples`. */
import type { ReloadOutcome } from '../events.ts';
import { publicIdOf } from '../policies/berths.ts';
import { hasSettled, servingOf } from '../policies/roster.ts';
import { isGathering, isStorm, noteRestart } from '../policies/storm.ts';
import type { Cause } from '../vocabulary.ts';
import type { NodeContext } from './context.ts';

interface Args {
  readonly context: NodeContext;
}

export const guards = {
  nobodyIsAdopting: ({ context }: Args) => Object.values(context.roster).every(({ adopting }) => !adopting),
  keepsEngines: (_: Args, params: { mode: 'keep' | 'drain' }) => params.mode === 'keep',
  isNotStopping: ({ context }: Args) => context.stopping === null,
  hasNoRegistration: ({ context }: Args) => !context.registrationRuns,
  hasSettled: ({ context }: Args) => hasSettled(context.roster),
  isUnknownPool: ({ context }: Args, params: { poolId: string }) => servingOf(context.roster, publicIdOf(params.poolId)) === null,
  isServing: ({ context }: Args, params: { poolId: string }) => context.roster[params.poolId]?.role === 'serving',
  /** What another order took the place of says nothing of that one, nor does one that the end of its node cut off. */
  settlesItsOrder: ({ context }: Args, params: { poolId: string; cause: Cause | null }) =>
    context.stopping === null && context.roster[params.poolId]?.role === 'serving' && params.cause?.code !== 'superseded',
  isRising: ({ context }: Args, params: { poolId: string }) => context.roster[params.poolId]?.role === 'rising',
  risesReady: ({ context }: Args, params: { poolId: string; outcome: ReloadOutcome }) =>
    context.roster[params.poolId]?.role === 'rising' && params.outcome === 'reloaded',
  isPoolActor: ({ context }: Args, params: { actorId: string }) => Object.values(context.roster).some(({ actorId }) => actorId === params.actorId),
  becomesStorm: ({ context }: Args, params: { mono: number }) => isStorm(noteRestart(context.restartsMono, params.mono)),
  becomesGathering: ({ context }: Args, params: { mono: number }) => isGathering(noteRestart(context.restartsMono, params.mono)),
};
