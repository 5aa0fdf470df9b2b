/** Which counters one observation moves. Pure; every label value comes from a closed list. */
import { publicIdOf } from '../machines/policies/berths.ts';
import { isKnownXid } from '../machines/policies/xids.ts';
import { at, numberAt, textAt } from './look.ts';
import type { NameOf } from './metric-definitions.ts';
import type { Observation } from './observe.ts';

export interface Counted {
  readonly name: NameOf<'counter'>;
  readonly labels: Readonly<Record<string, string>>;
}

export const outcomesOf = (seen: Observation): readonly Counted[] => {
  switch (seen.machine) {
    case 'pool':
      return ofPool(seen, seen.poolId ?? '');
    case 'node':
      return ofNode(seen);
    case 'registration':
      return ofRegistration(seen);
    case 'gpu':
      return ofGpu(seen);
  }
};

const ofPool = ({ event, before, snapshot: { context } }: Observation, pool_id: string): Counted[] => {
  const counted: Counted[] = [];
  // A probe that passed is sampled, one that failed is told as a fact.
  const outcome = event.type === 'engine.sampled' || event.type === 'health.failed' ? textAt(event, 'outcome') : null;
  if (outcome !== null) counted.push({ name: 'pool_health_checks_total', labels: { pool_id, outcome } });
  if (event.type === 'xstate.done.actor.stopEngine' && at(event, 'output', 'killed') === true)
    counted.push({ name: 'pool_engine_kills_total', labels: { pool_id } });
  if (before === null) return counted;
  if ((numberAt(context, 'restart', 'count') ?? 0) > (numberAt(before.context, 'restart', 'count') ?? 0))
    counted.push({ name: 'pool_restarts_total', labels: { pool_id, reason: textAt(context, 'reason', 'code') ?? 'unknown' } });
  if (at(context, 'drain', 'forced') === true && at(before.context, 'drain', 'forced') !== true)
    counted.push({ name: 'pool_drain_forced_total', labels: { pool_id } });
  return counted;
};

const ofNode = ({ event, snapshot: { context } }: Observation): Counted[] => {
  if (event.type === 'handoff.rejected') return [{ name: 'pool_handoff_files_processed_total', labels: { pool_id: '', outcome: 'rejected' } }];
  const outcome = event.type === 'handoff.settled' ? textAt(event, 'outcome') : null;
  if (outcome === null) return [];
  const berth = textAt(event, 'poolId') ?? '';
  const poolId = publicIdOf(berth);
  // A label for pools there are; anybody may write a file that names others.
  const known = at(context, 'roster', berth) !== undefined;
  return [{ name: 'pool_handoff_files_processed_total', labels: { pool_id: known ? poolId : '', outcome } }];
};

/** Numbers that the table does not know share one label. */
const ofGpu = ({ event, snapshot: { context } }: Observation): Counted[] => {
  const code = event.type === 'gpu.xid' ? numberAt(event, 'report', 'code') : null;
  if (code === null) return [];
  return [{ name: 'gpu_xids_total', labels: { gpu_uuid: textAt(context, 'uuid') ?? '', xid: isKnownXid(code) ? String(code) : 'other' } }];
};

const ofRegistration = ({ before, snapshot: { context } }: Observation): Counted[] => {
  const ended = numberAt(context, 'lastCall', 'number');
  const outcome = textAt(context, 'lastCall', 'outcome', 'result');
  if (before === null || ended === null || outcome === null || ended === numberAt(before.context, 'lastCall', 'number')) return [];
  switch (textAt(context, 'lastCall', 'kind')) {
    case 'heartbeat':
      return [{ name: 'node_heartbeats_total', labels: { outcome } }];
    case 'register':
      return [{ name: 'node_registrations_total', labels: { outcome } }];
    default:
      return [];
  }
};
