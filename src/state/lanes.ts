/**
 * One job at a time for each id, in the order they were asked for. Of `latest` jobs that wait, the last replaces the others.
 */
export interface Lanes {
  inTurn<T>(id: string, job: () => Promise<T>): Promise<T>;
  /** A job that makes an earlier one of its kind pointless. Those replaced end as the one that is done. */
  latest(id: string, job: () => Promise<void>): Promise<void>;
  /** No job is under way or waits. */
  settled(): Promise<void>;
}

interface Lane {
  /** Ends with the last job asked for, well or not. */
  tail: Promise<void>;
  waiting: { job: () => Promise<void>; readonly done: Promise<void> } | null;
}

export const makeLanes = (): Lanes => {
  const lanes = new Map<string, Lane>();

  const laneOf = (id: string): Lane => {
    const lane = lanes.get(id) ?? { tail: Promise.resolve(), waiting: null };
    lanes.set(id, lane);
    return lane;
  };

  const append = <T>(id: string, lane: Lane, job: () => Promise<T>): Promise<T> => {
    const done = lane.tail.then(job);
    const tail = done.then(ignore, ignore).then(() => {
      if (lane.tail === tail) lanes.delete(id);
    });
    lane.tail = tail;
    return done;
  };

  return {
    inTurn: (id, job) => append(id, laneOf(id), job),
    latest: (id, job) => {
      const lane = laneOf(id);
      if (lane.waiting !== null) {
        lane.waiting.job = job;
        return lane.waiting.done;
      }
      const done = append(id, lane, () => {
        const last = lane.waiting?.job ?? job;
        lane.waiting = null;
        return last();
      });
      lane.waiting = { job, done };
      return done;
    },
    settled: async () => {
      while (lanes.size > 0) await Promise.all([...lanes.values()].map(({ tail }) => tail));
    },
  };
};

/** Told to whoever asked for the job. */
const ignore = (): void => {};
