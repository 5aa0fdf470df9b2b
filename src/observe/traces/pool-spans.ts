/**
 * What of a pool's life is a trace: each start with its phases, each drain, each reload. Out of observations; knows no exporter.
 *
 * A start ends with `ready`, or in error with the reason that ended it. An engine that was adopted was not started.
 */
import { outcomeOf } from '../journal-lines.ts';
import { at, causeAt, numberAt, textAt } from '../look.ts';
import { phaseOf } from '../metric-events.ts';
import type { Observation, Observer } from '../observe.ts';

export type Attributes = Readonly<Record<string, string | number>>;

export interface OpenSpan {
  /** One that belongs to it. */
  begin(name: string, atMs: number, attributes: Attributes): OpenSpan;
  /** `error`: a sentence; null: it went well. */
  end(atMs: number, attributes: Attributes, error: string | null): void;
}

/** Begins a trace of its own. */
export type BeginTrace = (name: string, atMs: number, attributes: Attributes) => OpenSpan;

interface Started {
  readonly span: OpenSpan;
  phase: { readonly name: string; readonly span: OpenSpan } | null;
}

export const createPoolSpans = (begin: BeginTrace): Observer => {
  const starts = new Map<string, Started>();
  const drains = new Map<string, OpenSpan>();
  const reloads = new Map<string, OpenSpan>();

  const followStart = (seen: Observation): void => {
    const { actorId, to, at: now } = seen;
    const phase = phaseOf(to);
    const started = starts.get(actorId) ?? (phase === 'provision' ? open(seen) : null);
    if (started === null) return;
    if (started.phase?.name !== phase) {
      const failed = phase === null && !to.startsWith('ready');
      started.phase?.span.end(now, {}, failed ? why(seen) : null);
      started.phase = phase === null ? null : { name: phase, span: started.span.begin(phase, now, {}) };
    }
    if (phase !== null) return;
    starts.delete(actorId);
    started.span.end(now, { ...about(seen), ...reasonOf(seen) }, to.startsWith('ready') ? null : why(seen));
  };
  const open = (seen: Observation): Started => {
    const started: Started = { span: begin('pool.start', seen.at, about(seen)), phase: null };
    starts.set(seen.actorId, started);
    return started;
  };

  const followDrain = (seen: Observation): void => {
    const { actorId, to, at: now } = seen;
    const drain = drains.get(actorId);
    const draining = to.startsWith('draining');
    if (draining && drain === undefined) drains.set(actorId, begin('pool.drain', now, { ...about(seen), ...reasonOf(seen) }));
    if (draining || drain === undefined) return;
    drains.delete(actorId);
    drain.end(now, { 'pool.state': to, ...reasonOf(seen) }, null);
  };

  /** Of the pool, not of an actor: the new engine has one of its own. */
  const followReload = (seen: Observation, poolId: string): void => {
    const reload = reloads.get(poolId);
    const outcome = outcomeOf(seen);
    if (reload === undefined && outcome === null && (at(seen.snapshot.context, 'reload') ?? null) !== null) {
      const operation = textAt(seen.snapshot.context, 'reload', 'operationId');
      reloads.set(poolId, begin('pool.reload', seen.at, { ...about(seen), ...(operation !== null && { 'pool.operation_id': operation }) }));
    }
    if (reload === undefined || outcome === null) return;
    reloads.delete(poolId);
    reload.end(seen.at, { 'pool.outcome': outcome, ...reasonOf(seen) }, outcome === 'reloaded' ? null : `${outcome}: ${why(seen)}`);
  };

  return {
    name: 'traces',
    observe: (seen) => {
      if (seen.machine !== 'pool' || seen.poolId === null || seen.sample) return;
      if (seen.changed) {
        followStart(seen);
        followDrain(seen);
      }
      followReload(seen, seen.poolId);
      if (!seen.failed && seen.snapshot.status === 'active') return;
      for (const open of [starts.get(seen.actorId)?.span, drains.get(seen.actorId)]) open?.end(seen.at, {}, seen.failed ? 'its chart broke' : null);
      starts.delete(seen.actorId);
      drains.delete(seen.actorId);
    },
  };
};

const about = ({ poolId, incarnation, snapshot: { context } }: Observation): Attributes => {
  const [engine, model, attempt] = [textAt(context, 'spec', 'engine'), textAt(context, 'spec', 'model'), numberAt(context, 'attempt')];
  return {
    'pool.id': poolId ?? '',
    ...(engine !== null && { 'pool.engine': engine }),
    ...(model !== null && { 'pool.model': model }),
    ...(incarnation !== null && { 'pool.incarnation': incarnation }),
    ...(attempt !== null && { 'pool.attempt': attempt }),
  };
};

const reasonOf = ({ snapshot }: Observation): Attributes => {
  const cause = causeAt(snapshot.context, 'reason');
  return cause === null ? {} : { 'pool.reason': cause.code };
};

const why = ({ snapshot, to }: Observation): string => causeAt(snapshot.context, 'reason')?.message ?? `it went to ${to}`;
