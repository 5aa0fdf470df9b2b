/** Waits for a condition, with a deadline; what was waited for is in the error. */
import { setTimeout as wait } from 'node:timers/promises';

export const until = async <T>(
  what: string,
  look: () => T | null | false | undefined | Promise<T | null | false | undefined>,
  withinMs = 5_000,
  everyMs = 10,
): Promise<T> => {
  const limit = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false && found !== undefined) return found;
    if (performance.now() > limit) throw new Error(`waited ${withinMs} ms for ${what}`);
    await wait(everyMs);
  }
};
