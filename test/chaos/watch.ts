/**
 * Looks again and again and says what held for longer than it may. Time counts while a daemon answers: what happens to
 * engines while there is none is for the next one to find out.
 */
import type { PoolStatus } from '../../src/machines/views.ts';
import type { Look } from './look.ts';
import { type Condition, conditionsOf } from './rules.ts';

export interface Watch {
  /** What is violated now, in words. */
  take(look: Look): readonly string[];
  /** The pool was removed: a later one of the same name counts from 0. */
  mayCountAnew(poolId: string): void;
}

/** What may have ceased and begun again between two looks did not last. */
const longestGapMs = 1_000;

export const startWatch = (): Watch => {
  let since = new Map<string, number>();
  let lastMono: number | null = null;
  let clock = 0;
  const restarts = new Map<string, number>();
  const anew = new Set<string>();

  const counted = ({ pool_id: id, restarts: now }: PoolStatus): readonly string[] => {
    const before = restarts.get(id) ?? 0;
    restarts.set(id, now);
    if (now >= before || anew.delete(id)) return [];
    return [`${id} had restarted ${before} times and now says ${now}`];
  };

  const lasting = (conditions: readonly Condition[]): readonly string[] => {
    since = new Map(conditions.map(({ key }) => [key, since.get(key) ?? clock]));
    return conditions
      .filter(({ key, limitMs }) => clock - (since.get(key) ?? clock) >= limitMs)
      .map(({ text, limitMs }) => `${text} (for more than ${limitMs} ms)`);
  };

  return {
    take: (look) => {
      const counts = look.api !== null || look.silence !== null;
      if (counts && lastMono !== null) clock += Math.min(longestGapMs, look.mono - lastMono);
      lastMono = look.mono;
      return [...lasting(conditionsOf(look)), ...(look.api?.pools ?? []).flatMap(counted)];
    },
    mayCountAnew: (poolId) => void anew.add(poolId),
  };
};
