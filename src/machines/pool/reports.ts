/** What a pool tells its node, made from its context. Pure. */
import type { PoolReport } from '../events.ts';
import type { PoolState } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';

export const changed = (context: PoolContext, state: PoolState): PoolReport => ({
  type: 'pool.changed',
  poolId: context.poolId,
  state,
  live: isLive(context, state),
  ready: state === 'ready',
  draining: state === 'draining',
  slotsFree: context.load.slotsFree,
  slotsTotal: context.load.slotsTotal,
});

/** An engine process of this pool exists, as far as anybody knows. */
export const isLive = (context: PoolContext, state: PoolState): boolean =>
  context.run !== null && context.origin !== 'attached' && state !== 'offline';
