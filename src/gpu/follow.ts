/**
 * Looks at the cards again and again, and at once when it is asked to: by reading, and pausing in between. A source that hears
 * something during the pause gives a pause of its own.
 *
 * Never two reads at once: a look asked for during one follows it.
 */
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, Inventory } from '../machines/vocabulary.ts';
import type { Follower, FollowOrder, GpuSource } from './source.ts';

/** Calls `again` when the next look is due; returns what cancels that. */
export type Pause = (again: () => void, last: Inventory | Cause) => () => void;

export const follow = (source: GpuSource, order: FollowOrder): Follower => source.follow?.(order) ?? byReading(source, order);

export const pauseFor =
  (ms: number): Pause =>
  (again) => {
    const timer = setTimeout(again, ms);
    return () => clearTimeout(timer);
  };

export const byReading = (source: Pick<GpuSource, 'read'>, order: FollowOrder, pause: Pause = pauseFor(order.intervalMs)): Follower => {
  let cancel = (): void => {};
  let reading = false;
  let lookAgain = false;
  let stopped = false;

  const look = async (): Promise<void> => {
    cancel();
    reading = true;
    lookAgain = false;
    const { mono } = stamp();
    const read = await source.read(order.deadlineMs).catch((thrown: unknown) => causeOf(thrown, 'driver_error'));
    reading = false;
    if (stopped) return;
    order.hear(read, mono);
    if (stopped) return;
    if (lookAgain) void look();
    else cancel = pause(() => void look(), read);
  };

  void look();
  return {
    look: () => {
      if (reading) lookAgain = true;
      else if (!stopped) void look();
    },
    stop: () => {
      stopped = true;
      cancel();
    },
  };
};
