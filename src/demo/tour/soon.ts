/** Looks again and again until there is something, with a deadline; null and false are nothing. */
import { setTimeout as wait } from 'node:timers/promises';
import { TourFailure } from './trail.ts';

export interface SoonOptions {
  /** What is waited for, for the message. */
  readonly what: string;
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

const lookEveryMs = 20;

/** Rejects with a TourFailure at the deadline, or when the signal ends the tour. */
export const soon = async <T>({ what, withinMs, signal }: SoonOptions, look: () => T | null | false | Promise<T | null | false>): Promise<T> => {
  const limit = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (signal.aborted) throw new TourFailure(`expected ${what}, found none before the tour was ended`);
    if (performance.now() > limit) throw new TourFailure(`expected ${what} within ${withinMs / 1000} s, found none`);
    await wait(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
};
