/**
 * Pools in JSON, written once per change: a view that is still the same object is not put into words again. A list is bytes,
 * since a long text would be copied for each answer.
 *
 * Whoever hands in views and lists changes none of them. What nobody holds any more is forgotten here too.
 */
import type { PoolStatus } from '../machines/views.ts';

export interface PoolList {
  readonly node_id: string;
  readonly pools: readonly PoolStatus[];
  readonly count: number;
}

const statuses = new WeakMap<PoolStatus, string>();
const lists = new WeakMap<readonly PoolStatus[], { readonly nodeId: string; readonly bytes: Uint8Array<ArrayBuffer> }>();
const encoder = new TextEncoder();

export const writtenStatus = (status: PoolStatus): string => {
  const before = statuses.get(status);
  if (before !== undefined) return before;
  const text = JSON.stringify(status);
  statuses.set(status, text);
  return text;
};

/** A `PoolList`. */
export const writtenList = (nodeId: string, pools: readonly PoolStatus[]): Uint8Array<ArrayBuffer> => {
  const before = lists.get(pools);
  if (before?.nodeId === nodeId) return before.bytes;
  const bytes = encoder.encode(`{"node_id":${JSON.stringify(nodeId)},"pools":[${pools.map(writtenStatus).join(',')}],"count":${pools.length}}`);
  lists.set(pools, { nodeId, bytes });
  return bytes;
};
