/** The pool id in a path: its form is checked here, whether there is such a pool is asked here. */

import type { PoolStatus } from '../machines/views.ts';
import type { NodePort } from './ports.ts';
import { Problem, shown } from './problems.ts';

/** As in the pools file. */
export const poolIdPattern = '^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$';
const wellFormed = new RegExp(poolIdPattern);

export const poolIdOf = (text: string): string => {
  if (wellFormed.test(text)) return text;
  throw new Problem(
    'INVALID_PARAMS',
    `expected a pool id of lower-case letters, digits and inner dashes, at most 63, found ${shown(JSON.stringify(text))}`,
  );
};

export const statusOfPool = (node: NodePort, text: string): PoolStatus => {
  const status = node.pool(text);
  if (status !== null) return status;
  const id = poolIdOf(text);
  refuseWhileBooting(node);
  throw unknownPool(id);
};

/** A pool that is not known yet is not one that is not there. */
export const refuseWhileBooting = (node: NodePort): void => {
  if (node.node().lifecycle !== 'booting') return;
  throw new Problem('POOL_UNAVAILABLE', 'the daemon has just begun and does not know its pools yet; ask again in a moment', {
    retryAfterMs: bootingRetryMs,
  });
};

const bootingRetryMs = 1_000;

export const unknownPool = (id: string): Problem =>
  new Problem('POOL_NOT_FOUND', `there is no pool ${id} on this node; GET /v2/pools lists those there are`);
