/** Whose handoff file this is, from the point of view of a pool, and what becomes of it. Pure. */
import type { Handoff, HandoffOutcome, PoolOrigin, RunRecord } from '../vocabulary.ts';

/** `ours`: of this incarnation. `stale`: of another one. `other`: of an engine that is not this pool's. */
export const judgeHandoff = (run: RunRecord | null, handoff: Handoff): 'ours' | 'stale' | 'other' => {
  if (handoff.incarnation !== null) return handoff.incarnation === run?.incarnation ? 'ours' : 'stale';
  if (run === null) return 'other';
  if (handoff.pid !== null && handoff.pid !== run.pid) return 'stale';
  if (handoff.pidStartTime !== null && handoff.pidStartTime !== run.startTime) return 'stale';
  return portOf(handoff.endpoint) === run.port ? 'ours' : 'other';
};

/** What a file is settled as that moves its pool nowhere. */
export const outcomeOfHandoff = (origin: PoolOrigin, run: RunRecord | null, handoff: Handoff): HandoffOutcome => {
  if (origin === 'attached') return handoff.ready ? 'attached' : 'not_ready';
  const whose = judgeHandoff(run, handoff);
  if (whose !== 'ours') return whose === 'stale' ? 'stale' : 'ignored';
  return handoff.ready ? 'accepted' : 'not_ready';
};

/** Null: no URL of HTTP. */
export const portOf = (endpoint: string): number | null => {
  if (!URL.canParse(endpoint)) return null;
  const { port, protocol } = new URL(endpoint);
  const usual = usualPorts.get(protocol);
  return usual === undefined ? null : port === '' ? usual : Number(port);
};

const usualPorts: ReadonlyMap<string, number> = new Map([
  ['http:', 80],
  ['https:', 443],
]);
