/**
 * How a pool goes over to another spec: beside the old engine where the pool is ready and the other berth free, else in its
 * place. The old engine is not touched before the new one is ready.
 *
 * Pure.
 */
import type { PoolCommand, PoolEvent, ReloadOrder, ReloadOutcome } from '../events.ts';
import { otherBerthOf, publicIdOf } from '../policies/berths.ts';
import { lacksRoom } from '../policies/lacks-room.ts';
import { besideOf, type Declaration, type RosterEntry, redeclared, servingOf, withoutEntry } from '../policies/roster.ts';
import type { Cause, Stamp } from '../vocabulary.ts';
import { birthOf, declaredPool } from './birth.ts';
import type { NodeContext } from './context.ts';
import { bear, change, keepDeclared, type Moves, write } from './moves.ts';

export type Node = Pick<NodeContext, 'inventory' | 'stopping'>;

/** `entry` serves. Whatever becomes of the order, its spec is the declared one from now on. */
export const orderReload = (before: Moves, node: Node, entry: RosterEntry, order: ReloadOrder): Moves => {
  const moves = change(before, entry.poolId, { declared: { spec: order.spec, specHash: order.specHash } });
  const hidden = besideOf(moves.roster, entry.poolId);
  const isRunning = entry.report?.specHash === order.specHash;
  if (hidden?.role === 'rising' && hidden.order?.specHash === order.specHash) return moves;
  const alone = dismissRising(moves, entry, superseded(order), order);
  // An engine that is being adopted may be one that serves.
  if (entry.adopting) return change(alone, entry.poolId, { next: order });
  if (isRunning || !mayRiseBeside(entry, node)) return write(alone, entry, order);
  return hidden === null ? raise(alone, node, entry, order) : change(alone, entry.poolId, { next: order });
};

/** What is declared, as an order that nobody gave. */
export const declaredOrder = (declared: Declaration, { at, mono }: Stamp): ReloadOrder => ({
  type: 'pool.reload',
  ...declared,
  operationId: `declared-${declared.specHash}`,
  byDeclaration: true,
  at,
  mono,
});

/** Its engine has another spec, and serves: what is declared comes up beside it as soon as it can. */
export const takeUpDeclared = (moves: Moves, node: Node, berth: string, stamp: Stamp): Moves => {
  const entry = moves.roster[berth];
  if (entry === undefined || entry.declared === null || entry.next !== null || entry.declared.specHash === entry.report?.specHash) return moves;
  return takeNext(change(moves, berth, { next: declaredOrder(entry.declared, stamp) }), node, publicIdOf(berth));
};

/** For an order that leaves no room for a new engine: what rises ends, what waits is dropped. */
export const dismissRising = (moves: Moves, entry: RosterEntry, cause: Cause, stamp: Stamp): Moves => {
  const { at, mono } = stamp;
  const hidden = besideOf(moves.roster, entry.poolId);
  const waiting = entry.next === null ? moves : conclude(change(moves, entry.poolId, { next: null }), entry, entry.next, 'given_up', cause, stamp);
  if (hidden?.role !== 'rising' || hidden.order === null) return waiting;
  return retire(conclude(waiting, entry, hidden.order, 'given_up', cause, stamp), hidden, { type: 'pool.remove', cause, at, mono });
};

/** The new engine is ready: it is the pool from now on, the old one drains. */
export const succeed = (moves: Moves, berth: string, stamp: Stamp | null): Moves => {
  const [next, old] = [moves.roster[berth], besideOf(moves.roster, berth)];
  if (next === undefined || next.order === null || old === null) return moves;
  const { at, mono } = stamp ?? next.order;
  const { declared, overrides } = old;
  const risen = change(moves, berth, { role: 'serving', order: null, declared: declared ?? next.declared, overrides });
  const kept = old.former === null ? risen : keepDeclared(risen, berth);
  const told = write(kept, next, { type: 'pool.succeeded', restarts: old.report?.restarts ?? 0 });
  return retire(told, old, { type: 'pool.remove', cause: succeeded, at, mono });
};

/** The new engine has come to nothing: for want of room the old one makes way after all, else it simply serves on. */
export const giveUpRising = (moves: Moves, node: Node, berth: string, cause: Cause | null, stamp: Stamp | null): Moves => {
  const [risen, entry] = [moves.roster[berth], besideOf(moves.roster, berth)];
  if (risen === undefined || risen.order === null || entry === null) return moves;
  const hidden = change(moves, berth, hiddenFromNowOn);
  if (lacksRoom(cause) && node.stopping === null && !entry.leaving) return write(hidden, entry, risen.order);
  const outcome = entry.report?.ready === true ? 'rolled_back' : 'given_up';
  return settleOrder(conclude(hidden, entry, risen.order, outcome, cause ?? unknown, stamp ?? risen.order), entry.poolId, outcome);
};

/** An order over the API that came to nothing is no declaration any more, where the pool has what was declared before. */
export const settleOrder = (moves: Moves, berth: string, outcome: ReloadOutcome): Moves => {
  const entry = moves.roster[berth];
  if (entry === undefined || entry.former === null) return moves;
  const isBack = outcome !== 'reloaded' && entry.report?.specHash !== entry.declared?.specHash;
  const changes = isBack ? redeclared(entry, entry.former) : {};
  return keepDeclared(change(moves, berth, { ...changes, former: null }), berth);
};

/** What was in the berth is gone. What was declared to come after it comes, but where the node takes its engines with it. */
export const vacate = (moves: Moves, node: Node, berth: string): Moves => {
  const successor = node.stopping === null ? (moves.roster[berth]?.successor ?? null) : null;
  const empty = { ...moves, roster: withoutEntry(moves.roster, berth) };
  const birth = successor && birthOf(declaredPool({ ...successor, origin: 'file' }, berth), empty.spawned + 1, node.inventory);
  return birth === null ? takeNext(empty, node, publicIdOf(berth)) : bear(empty, birth);
};

/** An order that waits is carried out once the pool is ready and the other berth free, or once the pool is down. */
export const takeNext = (moves: Moves, node: Node, poolId: string): Moves => {
  const entry = servingOf(moves.roster, poolId);
  if (entry === null || entry.next === null || node.stopping !== null) return moves;
  const state = entry.report?.state;
  const isDue = state === 'offline' || (state === 'ready' && besideOf(moves.roster, entry.poolId) === null);
  if (!isDue) return moves;
  return orderReload(change(moves, entry.poolId, { next: null }), node, { ...entry, next: null }, entry.next);
};

const mayRiseBeside = ({ report, origin, leaving }: RosterEntry, { stopping }: Node): boolean =>
  report?.state === 'ready' && origin !== 'attached' && !leaving && stopping === null;

const raise = (moves: Moves, { inventory }: Node, entry: RosterEntry, order: ReloadOrder): Moves => {
  const { spec, specHash } = order;
  const poolId = otherBerthOf(entry.poolId);
  const pinned = JSON.stringify(spec.devices) === JSON.stringify(entry.devices) ? entry.pinned : null;
  const pool = { poolId, origin: entry.origin, spec, specHash, overrides: null, former: null, run: null, memory: null, handoff: null };
  const birth = birthOf(pool, moves.spawned + 1, inventory, { role: 'rising', order, pinned });
  return birth === null ? moves : bear(moves, birth);
};

const hiddenFromNowOn = {
  role: 'retiring',
  order: null,
  next: null,
  declared: null,
  overrides: null,
  former: null,
  successor: null,
  leaving: true,
} as const;

const retire = (moves: Moves, entry: RosterEntry, order: PoolCommand): Moves => write(change(moves, entry.poolId, hiddenFromNowOn), entry, order);

/** Told to the engine that serves, so that it is an event of the pool. */
const conclude = (
  moves: Moves,
  entry: RosterEntry,
  { operationId }: ReloadOrder,
  outcome: Conclusion['outcome'],
  cause: Cause,
  { at, mono }: Stamp,
): Moves => write(moves, entry, { type: 'reload.concluded', operationId, outcome, cause, at, mono });

type Conclusion = Extract<PoolEvent, { readonly type: 'reload.concluded' }>;

const succeeded: Cause = { code: 'superseded', message: 'the engine of the new spec serves in its place' };
const superseded = ({ operationId }: ReloadOrder): Cause => ({
  code: 'superseded',
  message: `another spec was ordered (${operationId}) before the new engine was ready`,
});
const unknown: Cause = { code: 'engine_exited', message: 'the new engine ended before it was ready' };
