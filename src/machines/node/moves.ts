/**
 * What is to be done about pools, gathered before anything is done: the roster as it will be, who is born, who is told what, what is to be
 * kept on disk.
 * Pure; `actions.ts` makes the moves.
 */
import type { PoolEvent } from '../events.ts';
import { publicIdOf } from '../policies/berths.ts';
import { type Roster, type RosterEntry, withEntry } from '../policies/roster.ts';
import type { RosterNote } from './actors.ts';
import type { Birth } from './birth.ts';
import type { NodeContext } from './context.ts';

export interface Moves {
  readonly roster: Roster;
  readonly spawned: number;
  readonly births: readonly Birth[];
  readonly letters: readonly (readonly [actorId: string, event: PoolEvent])[];
  readonly notes: readonly RosterNote[];
}

export const noMoves = ({ roster, spawned }: Pick<NodeContext, 'roster' | 'spawned'>): Moves => ({
  roster,
  spawned,
  births: [],
  letters: [],
  notes: [],
});

export const write = (moves: Moves, { actorId }: RosterEntry, event: PoolEvent): Moves => ({
  ...moves,
  letters: [...moves.letters, [actorId, event]],
});

export const change = (moves: Moves, berth: string, changes: Partial<RosterEntry>): Moves => ({
  ...moves,
  roster: withEntry(moves.roster, berth, changes),
});

/** All at once: of hundreds of pools each would copy the roster for itself. */
export const bear = (moves: Moves, ...births: readonly Birth[]): Moves => ({
  ...moves,
  roster: { ...moves.roster, ...Object.fromEntries(births.map(({ entry }) => [entry.poolId, entry])) },
  spawned: moves.spawned + births.length,
  births: [...moves.births, ...births],
});

/** What the entry in this berth declares is kept on disk: an order over the API outlives the daemon, until it is taken back. */
export const keepDeclared = (moves: Moves, berth: string): Moves => {
  const entry = moves.roster[berth];
  if (entry === undefined || entry.declared === null) return moves;
  const { origin, declared, overrides, former } = entry;
  const note: RosterNote = {
    type: 'pool.redeclared',
    poolId: publicIdOf(berth),
    origin,
    spec: declared.spec,
    overrides,
    former: former?.spec ?? null,
  };
  return { ...moves, notes: [...moves.notes, note] };
};
