/** What orders and a changed pools file come to, pool by pool. Pure. */
import type { PoolCommand, PoolEvent, ReloadOrder } from '../events.ts';
import { publicIdOf } from '../policies/berths.ts';
import {
  besideOf,
  type Declaration,
  diffRoster,
  freeBerth,
  isSameSpec,
  type Roster,
  type RosterEntry,
  redeclared,
  servingOf,
} from '../policies/roster.ts';
import type { BootPool, Cause, Stamp } from '../vocabulary.ts';
import { type Birth, birthOf, declaredPool, type Standing } from './birth.ts';
import type { NodeContext } from './context.ts';
import { bear, change, keepDeclared, type Moves, write } from './moves.ts';
import { declaredOrder, dismissRising, type Node, orderReload, settleOrder } from './succession.ts';

/** `entry` serves. */
export const commandMoves = (moves: Moves, node: Node, entry: RosterEntry, command: PoolCommand): Moves => {
  switch (command.type) {
    case 'pool.reload':
      return declareOver(orderReload(adjustRunning(moves, entry, command), node, entry, command), entry, command, formerOf(moves, entry, command));
    case 'pool.drain': {
      const alone = dismissRising(moves, entry, drained, command);
      if (alone === moves) return write(moves, entry, command);
      return restWithDeclared(write(settleOrder(alone, entry.poolId, 'given_up'), entry, command), entry.poolId, command);
    }
    case 'pool.remove':
      return removal(moves, entry, command);
    default:
      return write(moves, entry, command);
  }
};

export const fileMoves = (before: Moves, node: Node, pools: readonly Declaration[], stamp: Stamp): Moves => {
  // What a node that is to take its engines with it starts would stay behind.
  if (node.stopping !== null) return before;
  const taken = pools.reduce((moves, { spec }) => withServing(spec.id, takeOver)(moves), before);
  const { added, changed, adjusted, removed, dropped } = diffRoster(taken.roster, pools);
  const steps: readonly ((moves: Moves) => Moves)[] = [
    ...removed.map((id) => withServing(id, (moves, entry) => removal(moves, entry, stamp))),
    ...changed.map((declared) =>
      withServing(declared.spec.id, (moves, entry) => {
        const order: ReloadOrder = {
          type: 'pool.reload',
          ...declared,
          operationId: `file-${declared.specHash}`,
          ...(asksToStart(entry, declared) ? {} : { byDeclaration: true }),
          ...stamp,
        };
        return orderReload(adjustRunning(fileCounts(moves, entry), entry, order), node, entry, order);
      }),
    ),
    ...adjusted.map((declared) =>
      withServing(declared.spec.id, (moves, entry) => {
        const counts = fileCounts(moves, entry);
        const isNew = entry.declared === null || !isSameSpec(entry.declared.spec, declared.spec);
        const adjusted = isNew ? adjust(counts, entry, declared, stamp) : counts;
        return asksToStart(entry, declared) ? write(adjusted, entry, { type: 'pool.start', ...stamp }) : adjusted;
      }),
    ),
    ...dropped.map((id) => withServing(id, (moves, entry) => change(moves, entry.poolId, { successor: null }))),
    ...added.map((declared) => (moves: Moves) => add(moves, node, declared, stamp)),
  ];
  return steps.reduce((moves, step) => step(moves), taken);
};

/** What was declared over the API is the file's from now on, with all its engines. */
const takeOver = (moves: Moves, entry: RosterEntry): Moves => {
  if (entry.origin !== 'api' || entry.leaving) return moves;
  const beside = besideOf(moves.roster, entry.poolId);
  const engines = beside === null ? [entry] : [entry, beside];
  const filed = engines.reduce((so, one) => write(change(so, one.poolId, { origin: 'file', former: null }), one, { type: 'pool.filed' }), moves);
  return keepDeclared(filed, entry.poolId);
};

export interface Raised {
  readonly births: readonly Birth[];
  /** Berths of broken actors of which nothing is left. */
  readonly empty: readonly string[];
}

/** Pools that are found on disk, or found again. Each sees those before it. */
export const raiseAll = (
  pools: readonly BootPool[],
  { roster, spawned, inventory }: Pick<NodeContext, 'roster' | 'spawned' | 'inventory'>,
): Raised => {
  const known: Record<string, RosterEntry> = { ...roster };
  const births: Birth[] = [];
  const empty: string[] = [];
  for (const pool of pools) {
    const birth = birthOf(pool, spawned + births.length + 1, inventory, standingOf(known, pool.poolId));
    if (birth === null) {
      delete known[pool.poolId];
      empty.push(pool.poolId);
      continue;
    }
    known[pool.poolId] = birth.entry;
    births.push(birth);
  }
  return { births, empty };
};

const standingOf = (roster: Roster, berth: string): Standing => {
  const before = roster[berth];
  if (before !== undefined) return { crashes: before.crashes, role: before.role, next: before.next, successor: before.successor };
  return { role: servingOf(roster, publicIdOf(berth)) === null ? 'serving' : 'retiring' };
};

const withServing =
  (id: string, step: (moves: Moves, entry: RosterEntry) => Moves) =>
  (moves: Moves): Moves => {
    const entry = servingOf(moves.roster, id);
    return entry === null ? moves : step(moves, entry);
  };

const removal = (moves: Moves, entry: RosterEntry, { at, mono }: Stamp): Moves => {
  const alone = dismissRising(moves, entry, removed, { at, mono });
  return write(change(alone, entry.poolId, { leaving: true, successor: null }), entry, { type: 'pool.remove', at, mono });
};

/**
 * What an order goes back to where it comes to nothing: what counted before the first of those whose outcome is not known. A pool that is
 * ready alone has had all outcomes; of what its engine has no part in none will be told.
 */
const formerOf = ({ roster }: Moves, { poolId, report, next, former, declared }: RosterEntry, { specHash }: ReloadOrder): Declaration | null => {
  const isAlone = next === null && besideOf(roster, poolId)?.role !== 'rising';
  const pending = isAlone && report?.state === 'ready' ? null : former;
  return isAlone && report?.specHash === specHash ? pending : (pending ?? declared);
};

/** What the file said while another engine rose for it is not lost with that engine: the pool rests with it. */
const restWithDeclared = (moves: Moves, berth: string, { at, mono }: Stamp): Moves => {
  const entry = moves.roster[berth];
  if (entry === undefined || entry.former !== null || entry.declared === null || entry.report === null) return moves;
  if (entry.declared.specHash === entry.report.specHash) return moves;
  return write(moves, entry, declaredOrder(entry.declared, { at, mono }));
};

/** Ordered over the API: that counts from now on, also for a pool of the pools file, until it has come to nothing. */
const declareOver = (moves: Moves, entry: RosterEntry, { spec, specHash }: ReloadOrder, former: Declaration | null): Moves => {
  return keepDeclared(change(moves, entry.poolId, { ...redeclared(entry, { spec, specHash }), former }), entry.poolId);
};

/** The file says something else of the pool than before: what was ordered over the API ends. */
const fileCounts = (moves: Moves, entry: RosterEntry): Moves => {
  const counts = change(moves, entry.poolId, { overrides: null, former: null });
  return entry.overrides === null ? counts : keepDeclared(counts, entry.poolId);
};

/** It is to start with the daemon now, and was not. */
const asksToStart = ({ declared }: RosterEntry, { spec }: Declaration): boolean => spec.preload && declared?.spec.preload === false;

/** Whoever of its engines has that spec takes it up, and so does an order that waits. */
const adjust = (moves: Moves, entry: RosterEntry, declared: Declaration, { at, mono }: Stamp): Moves => {
  const event: PoolEvent = { type: 'spec.adjusted', ...declared, at, mono };
  const beside = besideOf(moves.roster, entry.poolId);
  const engines = beside?.role === 'rising' ? [entry, beside] : [entry];
  const next = entry.next?.specHash === declared.specHash ? { ...entry.next, spec: declared.spec } : entry.next;
  const risen =
    beside?.order?.specHash === declared.specHash ? change(moves, beside.poolId, { order: { ...beside.order, spec: declared.spec } }) : moves;
  return engines.reduce((so, one) => write(so, one, event), change(risen, entry.poolId, { declared, next }));
};

/** The engine that runs has no part in what is changed. */
const adjustRunning = (moves: Moves, entry: RosterEntry, { spec, specHash, at, mono }: ReloadOrder): Moves =>
  entry.report?.specHash === specHash ? adjust(moves, entry, { spec, specHash }, { at, mono }) : moves;

const add = (moves: Moves, { inventory }: Node, declared: Declaration, stamp: Stamp): Moves => {
  const { id } = declared.spec;
  const there = servingOf(moves.roster, id);
  if (there !== null) return change(there.leaving ? moves : removal(moves, there, stamp), there.poolId, { successor: declared });
  const birth = birthOf(declaredPool({ ...declared, origin: 'file' }, freeBerth(moves.roster, id)), moves.spawned + 1, inventory);
  return birth === null ? moves : bear(moves, birth);
};

const drained: Cause = { code: 'operator', message: 'the pool was drained before the new engine was ready' };
const removed: Cause = { code: 'removed', message: 'the pool is being removed' };
