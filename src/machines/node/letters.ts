/** What a node has to say to its children in consequence of something, as (actor id, event) pairs. Pure. */
import type { PoolHint, RegistrationEvent } from '../events.ts';
import type { RosterEntry } from '../policies/roster.ts';
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
    const entry = roster[poolId];
    return entry === undefined ? [] : [[entry.actorId, { type: 'drain.acknowledged' }] as const];
  });

/** Nobody has to take note where nobody is told. */
export const announceDrain = (context: NodeContext, poolId: string): readonly Letter[] =>
  context.registrationRuns && context.registration.enabled
    ? toRegistration(context, { type: 'readiness.changed' })
    : acknowledgeDrains(context, [poolId]);

const isBlocked = ({ report }: RosterEntry): boolean => report?.state === 'offline';
