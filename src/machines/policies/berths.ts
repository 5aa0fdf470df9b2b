/**
 * A pool has two berths, so that the engine of a new spec can come up while the old one serves. Files, ports, units and the
 * ledger are kept by berth; people, the API and the control plane know the pool only.
 *
 * Pure. The first berth is the pool's own id.
 */

/** Ids of pools are at most 60 long, so that with it they fit into 63 characters. */
const mark = '--b';

/** No pool may be called so: it is some pool's second berth. */
export const isSecondBerth = (id: string): boolean => id.endsWith(mark) && id.length > mark.length;

export const publicIdOf = (berth: string): string => (isSecondBerth(berth) ? berth.slice(0, -mark.length) : berth);

export const secondBerthOf = (poolId: string): string => `${poolId}${mark}`;

export const otherBerthOf = (berth: string): string => (isSecondBerth(berth) ? publicIdOf(berth) : secondBerthOf(berth));
