/** What a node has to say to its children in consequence of something, as (actor id, event) pairs. Pure. */
import type { PoolHint, RegistrationEvent } from '../events.ts';
import { publicIdOf } from '../policies/berths.ts';
import { isServing, type RosterEntry, servingOf } from '../policies/roster.ts';
import type { RosterNote } from './actors.ts';
import type { NodeContext } from './context.ts';

export type Letter = readonly [to: string, event: PoolHint | RegistrationEvent];

/** Nothing while there is no registration actor: it begins when the node serves. */
export const toRegistration = ({ registrationRuns }: NodeContext, event: RegistrationEvent): readonly Letter[] =>
  registrationRuns ? [['registration', event]] : [];

/** Pools that may wait for what has become free. */
export const toBlocked = ({ roster }: NodeContext): readonly Letter[] =>
  Object.values(roster)
    .filter(isBlocked)
    .map(({ actorId }) => [actorId, { type: 'resources.changed' }]);

export const acknowledgeDrains = ({ roster }: NodeContext, poolIds: readonly string[]): readonly Letter[] =>
  poolIds.flatMap((poolId) => {
    const entry = servingOf(roster, poolId);
    return entry === null ? [] : [[entry.actorId, { type: 'drain.acknowledged' }] as const];
  });

/**
 * Nobody has to take note where nobody is told. An engine whose successor serves is not acknowledged: whoever asked for the
 * endpoint just before has the whole limit to come.
 */
export const announceDrain = (context: NodeContext, berth: string): readonly Letter[] => {
  const entry = context.roster[berth];
  return entry === undefined || !isServing(entry) ? [] : tellOfDrain(context, publicIdOf(berth));
};

const tellOfDrain = (context: NodeContext, poolId: string): readonly Letter[] =>
  context.registrationRuns && context.registration.enabled
    ? toRegistration(context, { type: 'readiness.changed' })
    : acknowledgeDrains(context, [poolId]);

/** What is on disk of a pool stays until it is the pool that has ended. */
export const notesOnEnd = (entry: RosterEntry): readonly RosterNote[] => [
  { type: 'berth.forgotten', poolId: entry.poolId },
  ...(isServing(entry) ? [{ type: 'pool.forgotten', poolId: publicIdOf(entry.poolId) } as const] : []),
];

const isBlocked = ({ report }: RosterEntry): boolean => report?.state === 'offline';
