/** Whose handoff file this is, from the point of view of a pool. Pure. */
import type { Handoff, RunRecord } from '../vocabulary.ts';

/** `ours`: of this incarnation. `stale`: of another one. `other`: of an engine that is not this pool's. */
export const judgeHandoff = (run: RunRecord | null, handoff: Handoff): 'ours' | 'stale' | 'other' => {
  if (handoff.incarnation !== null) return handoff.incarnation === run?.incarnation ? 'ours' : 'stale';
  if (run === null) return 'other';
  if (handoff.pid !== null && handoff.pid !== run.pid) return 'stale';
  return samePort(handoff.endpoint, run) ? 'ours' : 'other';
};

const samePort = (endpoint: string, run: RunRecord): boolean => {
  try {
    return Number(new URL(endpoint).port) === run.port;
  } catch {
    return false;
  }
};
