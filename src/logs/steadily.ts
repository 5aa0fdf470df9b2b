/** Looks again when what was looked at was cut or removed meanwhile. Nothing here waits: a cut takes milliseconds, once in many megabytes. */
import { isMissing, MovedMeanwhile } from './runs.ts';

const tries = 10;

export const steadily = async <T>(look: () => Promise<T>): Promise<T> => {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await look();
    } catch (thrown) {
      if (left === 0 || !(thrown instanceof MovedMeanwhile || isMissing(thrown))) throw thrown;
    }
  }
};
