/** The stub's slots and its queue: a request takes a free slot or waits for one. */

export interface Slots {
  readonly total: number;
  busy(): readonly boolean[];
  deferred(): number;
  /** Resolves with the slot's number when it is this request's. */
  take(): Promise<number>;
  release(slot: number): void;
}

export const makeSlots = (total: number): Slots => {
  const taken = new Array<boolean>(total).fill(false);
  const waiting: ((slot: number) => void)[] = [];
  return {
    total,
    busy: () => [...taken],
    deferred: () => waiting.length,
    take: () => {
      const free = taken.indexOf(false);
      if (free === -1) return new Promise((resolve) => waiting.push(resolve));
      taken[free] = true;
      return Promise.resolve(free);
    },
    release: (slot) => {
      const next = waiting.shift();
      if (next === undefined) taken[slot] = false;
      else next(slot);
    },
  };
};
