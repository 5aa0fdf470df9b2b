/**
 * Shares looks at the cards: however many ask at once, one read runs, and those who came during it share the next one, so that
 * everybody's look began after they asked.
 *
 * Each caller keeps its own deadline. Decides nothing about what a read says.
 */
import type { Cause, Inventory } from '../machines/vocabulary.ts';

type Look = Promise<Inventory | Cause>;

export const oneAtATime = (look: (deadlineMs: number) => Look): ((deadlineMs: number) => Look) => {
  let current: Look | null = null;
  let next: Look | null = null;

  const begin = (deadlineMs: number): Look => {
    const running = look(deadlineMs).finally(() => {
      if (current === running) current = null;
    });
    current = running;
    return running;
  };
  const follow = (first: Look, deadlineMs: number): Look =>
    first
      .catch(() => null)
      .then(() => {
        next = null;
        return begin(deadlineMs);
      });

  return (deadlineMs) => {
    if (next === null) {
      if (current === null) return begin(deadlineMs);
      next = follow(current, deadlineMs);
    }
    return within(next, deadlineMs);
  };
};

const within = (look: Look, deadlineMs: number): Look =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => resolve({ code: 'driver_error', message: `the GPUs were expected to be read within ${deadlineMs} ms, but earlier reads took longer` }),
      deadlineMs,
    );
    look.then(resolve, reject).finally(() => clearTimeout(timer));
  });
