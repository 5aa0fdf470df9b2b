/** Waits until a pool is where a person wants it, telling each state on the way. Bounded; asks, never acts. */
import { setTimeout as wait } from 'node:timers/promises';
import { eventsSchema, type Pool, poolSchema, poolsSchema, type Transition } from './answers.ts';
import { withId } from './client.ts';
import type { Session } from './context.ts';
import { CliError, exitCodes } from './exit.ts';
import { stateOf } from './show.ts';
import { printable } from './table.ts';

const lookEveryMs = 300;

export interface Goal {
  /** `ready`, for the messages. */
  readonly name: string;
  readonly reached: (pool: Pool) => boolean;
  /** Why it will not be reached any more; null: it still may. */
  readonly hopeless: (pool: Pool) => string | null;
}

export const readyGoal: Goal = {
  name: 'ready',
  reached: (pool) => pool.ready,
  hopeless: (pool) => {
    if (pool.wanted === 'down') return 'it is wanted down; somebody else has stopped it';
    return pool.state === 'offline' && pool.substate === 'failed' ? because(pool) : null;
  },
};

export const drainedGoal: Goal = {
  name: 'stopped',
  reached: (pool) => !pool.live && (pool.state === 'offline' || pool.state === 'uninitialized'),
  hopeless: (pool) => (pool.wanted === 'up' ? 'it is wanted up; somebody else has started it' : null),
};

export const waitForPool = (session: Session, id: string, goal: Goal, limitMs: number): Promise<Pool> =>
  lookUntil(session, id, goal.name, limitMs, async (pool) => {
    if (goal.reached(pool)) return pool;
    const hopeless = goal.hopeless(pool);
    if (hopeless !== null) throw new CliError(`${id} does not become ${goal.name}: ${hopeless}`, exitCodes.failed);
    return null;
  });

/** Of the latest event of a pool; 0: there is none. */
export const lastSeq = async (session: Session, id: string): Promise<number> => (await eventsOf(session, id, 1))[0]?.seq ?? 0;

/** Until a reload that was ordered after event `after` has come to its end. */
export const waitForReload = (session: Session, id: string, after: number, limitMs: number): Promise<Pool> =>
  lookUntil(session, id, 'reloaded', limitMs, async (pool) => {
    // They come newest first: a later reload, of somebody else's, does not answer for this one.
    const end = (await eventsOf(session, id, eventsLookedAt)).findLast(({ seq, outcome }) => seq > after && outcome !== null);
    if (end === undefined) return null;
    if (end.outcome === 'reloaded') return pool;
    const why = end.reason === null ? 'no reason given' : `${end.reason.code}: ${end.reason.message}`;
    throw new CliError(`${id} was not reloaded (${reloadEnds[end.outcome ?? ''] ?? end.outcome}): ${why}`, exitCodes.failed);
  });

/** Until nothing of the pool is left. */
export const waitForEnd = async (session: Session, id: string, limitMs: number): Promise<void> => {
  const isThere = async (): Promise<boolean> =>
    (await session.api.ask((client) => client.v2.pools.$get()).read(poolsSchema)).pools.some(({ pool_id }) => pool_id === id);
  const limit = performance.now() + limitMs;
  while (await isThere()) {
    if (performance.now() > limit) throw tooLate(id, 'gone', limitMs, 'it is still listed');
    await wait(lookEveryMs, undefined, { signal: session.signal });
  }
};

const reloadEnds: Readonly<Record<string, string>> = { rolled_back: 'what it had before serves', given_up: 'no engine serves' };
const eventsLookedAt = 50;

const eventsOf = async ({ api }: Session, id: string, limit: number): Promise<readonly Transition[]> =>
  (await api.ask((client) => client.v2.pools[':id'].events.$get({ ...withId(id), query: { limit: String(limit) } })).read(eventsSchema)).events;

/** Asks for the pool now and then, notes each state it is found in, and ends with what `look` finds. */
const lookUntil = async <Found>(
  session: Session,
  id: string,
  goal: string,
  limitMs: number,
  look: (pool: Pool) => Promise<Found | null>,
): Promise<Found> => {
  const limit = performance.now() + limitMs;
  let told = '';
  for (;;) {
    const pool = await session.api.ask((client) => client.v2.pools[':id'].status.$get(withId(id))).read(poolSchema);
    const now = `${stateOf(pool)}${pool.reason === null ? '' : ` (${because(pool)})`}`;
    if (now !== told) session.note(printable(`${id}: ${now}`));
    told = now;
    const found = await look(pool);
    if (found !== null) return found;
    if (performance.now() > limit) throw tooLate(id, goal, limitMs, now);
    await wait(lookEveryMs, undefined, { signal: session.signal });
  }
};

const tooLate = (id: string, goal: string, limitMs: number, now: string): CliError =>
  new CliError(
    `${id} is not ${goal} after ${Math.round(limitMs / 1000)} s: ${now}; it goes on, look with "pool-managerd status ${id}"`,
    exitCodes.failed,
  );

const because = (pool: Pool): string => (pool.reason === null ? 'no reason given' : `${pool.reason.code}: ${pool.reason.message}`);
