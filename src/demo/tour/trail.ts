/**
 * What is seen one after the other, and what must come next. Everything seen has to be expected, in its order: what comes
 * instead, or not in time, is a TourFailure that names both.
 */

/** The tour did not see what it must. */
export class TourFailure extends Error {
  override readonly name = 'TourFailure';
}

export interface Sight<Detail> {
  /** What is compared: a public state, for instance. */
  readonly word: string;
  readonly detail: Detail;
}

export interface Trail<Detail> {
  /** The same word as the one before is not seen again. */
  readonly see: (word: string, detail: Detail) => void;
  /** The next sight, which must be this one. */
  readonly expect: (word: string, withinMs: number) => Promise<Detail>;
}

/** `of`: whose trail it is, for the messages. */
export const createTrail = <Detail>(of: string, signal: AbortSignal): Trail<Detail> => {
  const ahead: Sight<Detail>[] = [];
  let last: string | null = null;
  let passed: string | null = null;
  let wake = (): void => undefined;

  const next = async (withinMs: number): Promise<Sight<Detail> | null> => {
    if (ahead.length === 0) {
      const waiting = Promise.withResolvers<void>();
      const timer = setTimeout(waiting.resolve, withinMs);
      wake = waiting.resolve;
      signal.addEventListener('abort', wake, { once: true });
      if (!signal.aborted) await waiting.promise;
      signal.removeEventListener('abort', wake);
      clearTimeout(timer);
    }
    return ahead.shift() ?? null;
  };

  return {
    see: (word, detail) => {
      if (word === last) return;
      last = word;
      ahead.push({ word, detail });
      wake();
    },
    expect: async (word, withinMs) => {
      const sight = await next(withinMs);
      if (sight === null) {
        const limit = signal.aborted ? 'before the tour was ended' : `within ${withinMs / 1000} s`;
        throw new TourFailure(`${of}: expected ${word} after ${passed ?? 'the beginning'}, found nothing more ${limit}`);
      }
      if (sight.word !== word)
        throw new TourFailure(`${of}: expected ${word} after ${passed ?? 'the beginning'}, found ${sight.word}: ${JSON.stringify(sight.detail)}`);
      passed = word;
      return sight.detail;
    },
  };
};
