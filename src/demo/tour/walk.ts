/** Steps one after the other, each named with its time. At the first that fails the walk ends, and says what was not seen. */
import { TourFailure } from './trail.ts';

export interface Step {
  readonly name: string;
  /** Rejects when what must be seen is not. */
  readonly walk: (tell: (line: string) => void) => Promise<void>;
}

/** Null: all of it was seen. */
export const walkAll = async (steps: readonly Step[], say: (line: string) => void, now = () => performance.now()): Promise<string | null> => {
  const began = now();
  for (const [at, { name, walk }] of steps.entries()) {
    const stepBegan = now();
    say('');
    say(`${clock(stepBegan - began)}  step ${at + 1} of ${steps.length}: ${name}`);
    try {
      await walk((line) => say(`${clock(now() - began)}    ${line}`));
    } catch (thrown) {
      return missing(thrown, steps.slice(at));
    }
  }
  say('');
  say(`${clock(now() - began)}  all ${steps.length} steps were seen`);
  return null;
};

const clock = (ms: number): string => `${(ms / 1000).toFixed(3).padStart(7)} s`;

const missing = (thrown: unknown, [failed, ...rest]: readonly Step[]): string => {
  const found = thrown instanceof TourFailure ? thrown.message : `unexpected failure: ${thrown instanceof Error ? thrown.message : String(thrown)}`;
  const never = rest.length === 0 ? '' : `\nnot reached: ${rest.map(({ name }) => name).join('; ')}`;
  return `missing in step "${failed?.name ?? ''}": ${found}${never}`;
};
