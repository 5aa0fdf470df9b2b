/** What a person is to do about a pool that is not ready: the first advice of `docs/reasons.md`, with the id in its commands. Pure. */
import type { Pool } from './answers.ts';
import { isReasonCode, reasonTextOf } from './reason-texts.ts';

/** Null: nothing, or a daemon of another version gives a reason that is not known here. */
export const toDo = ({ pool_id, ready, reason }: Pick<Pool, 'pool_id' | 'ready' | 'reason'>): string | null => {
  if (ready || reason === null || !isReasonCode(reason.code)) return null;
  const { act, byItself } = reasonTextOf(reason.code);
  return byItself === true ? null : act[0].replaceAll('`', '"').replaceAll(/\bPOOL\b/g, pool_id);
};

type Tried = Pick<Pool, 'pool_id' | 'origin' | 'state' | 'substate' | 'reason'>;

/** When a pool is tried again by itself, or what has it tried. Null: that is not the question, or not this daemon's to try. */
export const nextTry = ({ pool_id, origin, state, substate, reason }: Tried): string | null => {
  if (state === 'offline' && substate === 'failed' && origin !== 'attached') return `not by itself; "pool-managerd start ${pool_id}" tries again`;
  return reason?.next_retry_at ?? null;
};
