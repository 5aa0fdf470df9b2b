/**
 * Pauses that may end with each other: waking a process that sleeps costs more than most of what it then does, so whoever
 * looks at an engine that is well looks when others do.
 *
 * A pause ends at its time, or up to a quarter of itself before, when another one ends; once pauses have met they stay
 * together. Few end at once, so that nobody who asks the daemon waits for hundreds of them.
 */

/** Resolves when the pause is over, at once when it is given up. Never rejects. */
export type PauseTogether = (ms: number, signal: AbortSignal) => Promise<void>;

const share = 0.25;
const mostAtOnce = 8;

interface Waiting {
  readonly dueMono: number;
  readonly earliestMono: number;
  readonly end: () => void;
}

export const pauseTogether = (): PauseTogether => {
  /** In the order in which they are due. */
  const waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  let armedFor: Waiting | undefined;

  const arm = (): void => {
    const [first] = waiting;
    if (first === armedFor) return;
    clearTimeout(timer);
    armedFor = first;
    if (first !== undefined) timer = setTimeout(wake, Math.max(0, first.dueMono - performance.now()));
  };
  const wake = (): void => {
    armedFor = undefined;
    const now = performance.now();
    // A timer may come a moment early; the one it is for ends all the same.
    const ending = waiting.filter(({ earliestMono }, index) => index === 0 || earliestMono <= now).slice(0, mostAtOnce);
    for (const one of ending) one.end();
    arm();
  };

  return (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const dueMono = performance.now() + ms;
      const end = (): void => {
        waiting.splice(waiting.indexOf(own), 1);
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        end();
        arm();
      };
      const own: Waiting = { dueMono, earliestMono: dueMono - ms * share, end };
      // Most pauses are as long as the ones before, and so the last to end.
      waiting.splice(waiting.findLastIndex((one) => one.dueMono <= dueMono) + 1, 0, own);
      signal.addEventListener('abort', giveUp, { once: true });
      arm();
    });
};
