/** Things that are heard, and waiting for the next one of a kind with the moment at which it came. */

export interface Heard<T> {
  tell(item: T): void;
  /** The first that is heard from this call on. Rejects at the deadline. */
  next(what: string, matches: (item: T) => boolean, withinMs?: number): Promise<Moment<T>>;
}

export interface Moment<T> {
  readonly item: T;
  /** Of `performance.now()`. */
  readonly at: number;
}

interface Waiting<T> {
  readonly matches: (item: T) => boolean;
  readonly resolve: (moment: Moment<T>) => void;
}

const patienceMs = 60_000;

export const makeHeard = <T>(): Heard<T> => {
  const waiting = new Set<Waiting<T>>();
  return {
    tell: (item) => {
      const at = performance.now();
      for (const one of [...waiting]) if (one.matches(item)) one.resolve({ item, at });
    },
    next: (what, matches, withinMs = patienceMs) =>
      new Promise((resolve, reject) => {
        const one: Waiting<T> = {
          matches,
          resolve: (moment) => {
            clearTimeout(timer);
            waiting.delete(one);
            resolve(moment);
          },
        };
        const timer = setTimeout(() => {
          waiting.delete(one);
          reject(new Error(`waited ${withinMs} ms for ${what}`));
        }, withinMs);
        waiting.add(one);
      }),
  };
};
