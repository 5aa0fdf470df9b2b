/** What a pool tells its node, made from its context. Pure. */
import type { PoolReport } from '../events.ts';
import type { PoolState } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';

export const changed = (context: PoolContext, state: PoolState): PoolReport => {
  const { total, free } = slotsOf(context);
  return {
    type: 'pool.changed',
    poolId: context.poolId,
    state,
    live: isLive(context, state),
    ready: state === 'ready',
    draining: state === 'draining',
    slotsFree: free,
    slotsTotal: total,
    hostSuspected: showsSuspicion(context, state),
    restarts: context.restart.count,
    specHash: context.specHash,
    devices: context.spec.devices,
  };
};

/** Only where probes are counted. */
export const showsSuspicion = ({ health, drain }: PoolContext, state: PoolState): boolean =>
  health.hostSuspected && (state === 'ready' || (state === 'draining' && drain?.why === 'health'));

/** An engine process of this pool exists: recorded by us, identified, and not yet ended. `path`: `draining.releasing`. */
export const isLive = (context: PoolContext, path: string): boolean =>
  context.origin !== 'attached' &&
  context.run !== null &&
  context.recorded === null &&
  !path.startsWith('offline') &&
  !path.startsWith('draining.releasing');

/** What an engine says of its slots is not always possible. */
export const slotsOf = ({ load, proof }: PoolContext): { readonly total: number | null; readonly free: number | null } => {
  const total = load.slotsTotal ?? proof?.slotsTotal ?? null;
  return { total, free: load.slotsFree === null || total === null ? load.slotsFree : Math.min(load.slotsFree, total) };
};
