/** Fixed ports that cannot be a pool's, because somebody else of this machine's daemon has them for certain. Pure. */
import type { Environment } from '../../../../config/environment.ts';
import type { PoolSpec } from '../../../../machines/vocabulary.ts';

export interface Claim {
  /** In words. */
  readonly by: string;
  /** A pool that may be down while this one is up; the daemon never is. */
  readonly isPool: boolean;
}

/** Who has a port for certain, but for this pool. */
export type Claims = (port: number, poolId: string) => Claim | null;

/** A pool with several ports to choose from claims none of them. */
export const claimsOf = ({ bind, metrics }: Pick<Environment, 'bind' | 'metrics'>, pools: readonly PoolSpec[]): Claims => {
  const fixed = Map.groupBy(
    pools.filter(({ ports }) => ports?.length === 1),
    ({ ports }) => ports?.[0],
  );
  return (port, poolId) => {
    if (port === bind.port) return { by: "the daemon's own API (POOL_MANAGERD_BIND_ADDR)", isPool: false };
    if (port === metrics?.port) return { by: "the daemon's own metrics (PROMETHEUS_METRICS_PORT)", isPool: false };
    const others = fixed.get(port)?.filter(({ id }) => id !== poolId) ?? [];
    if (others.length === 0) return null;
    const ids = others.slice(0, 3).map(({ id }) => id);
    return { by: `pool${others.length === 1 ? '' : 's'} ${ids.join(', ')}${ids.length < others.length ? ', …' : ''}`, isPool: true };
  };
};
