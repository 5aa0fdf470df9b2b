/** Waits until a pool is where a person wants it, telling each state on the way. Bounded; asks, never acts. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Pool, poolSchema } from './answers.ts';
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

export const waitForPool = async (session: Session, id: string, goal: Goal, limitMs: number): Promise<Pool> => {
  const limit = performance.now() + limitMs;
  let told = '';
  for (;;) {
    const pool = await session.api.ask((client) => client.v2.pools[':id'].status.$get(withId(id))).read(poolSchema);
    const now = `${stateOf(pool)}${pool.reason === null ? '' : ` (${because(pool)})`}`;
    if (now !== told) session.note(printable(`${id}: ${now}`));
    told = now;
    if (goal.reached(pool)) return pool;
    const hopeless = goal.hopeless(pool);
    if (hopeless !== null) throw new CliError(`${id} does not become ${goal.name}: ${hopeless}`, exitCodes.failed);
    if (performance.now() > limit) {
      throw new CliError(
        `${id} is not ${goal.name} after ${Math.round(limitMs / 1000)} s: ${now}; it goes on, look with "pool-managerd status ${id}"`,
        exitCodes.failed,
      );
    }
    await wait(lookEveryMs, undefined, { signal: session.signal });
  }
};

const because = (pool: Pool): string => (pool.reason === null ? 'no reason given' : `${pool.reason.code}: ${pool.reason.message}`);
