/** Remembers when each pool entered its public state: an observer, since charts keep no clock. */
import type { Observation, Observer } from '../observe/observe.ts';

export interface Since extends Observer {
  /** Milliseconds since the epoch; null: nothing was seen of this actor. */
  readonly of: (actorId: string) => number | null;
}

export const createSince = (): Since => {
  const entered = new Map<string, number>();
  return {
    name: 'since',
    observe: (seen: Observation) => {
      if (seen.machine !== 'pool') return;
      if (seen.failed || seen.snapshot.status !== 'active') entered.delete(seen.actorId);
      else if (publicState(seen.from) !== publicState(seen.to)) entered.set(seen.actorId, seen.at);
    },
    of: (actorId) => entered.get(actorId) ?? null,
  };
};

const publicState = (path: string): string => path.split('.')[0] ?? '';
