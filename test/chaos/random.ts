/** Chance from a seed: the same numbers on every machine. Not for secrets. */
export interface Chance {
  /** 0 ≤ n < limit */
  below(limit: number): number;
  /** first ≤ n ≤ last */
  between(first: number, last: number): number;
  pick<T>(from: readonly T[]): T;
}

/** mulberry32. */
export const chanceFrom = (seed: number): Chance => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    between: (first, last) => first + below(last - first + 1),
    pick: (from) => {
      const picked = from[below(from.length)];
      if (picked === undefined) throw new Error('expected something to pick from, found an empty list');
      return picked;
    },
  };
};
