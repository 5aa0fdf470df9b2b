/** Whether the time that a wrong token takes tells how much of it was right: ranks of 100,000 refusals in an order drawn by chance. */
import { randomBytes, randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createCredentialsCheck } from '../../src/http/gate/credentials.ts';
import { Problem } from '../../src/http/problems.ts';

const token = 'k7Qm2v'.repeat(40);
const samples = 100_000;
const warmUp = 2_000;
/** Guesses are made before they are timed, so that how one was put together is not what is timed. */
const batch = 500;
/** In standard deviations: by chance once in 150,000. */
const limit = 4.5;

interface Refusal {
  readonly nearlyRight: boolean;
  readonly took: number;
}

/** How far the ranks of the two kinds lie apart, in standard deviations. */
const differenceBetween = (judge: (guess: string) => void): number => {
  const refusals: Refusal[] = [];
  for (let begun = 0; begun < samples + warmUp; begun += batch) {
    for (const { nearlyRight, guess } of Array.from({ length: batch }, guessed)) {
      // A fresh string each time, as it comes from a socket.
      const text = guess.toString('latin1');
      const from = process.hrtime.bigint();
      judge(text);
      refusals.push({ nearlyRight, took: Number(process.hrtime.bigint() - from) });
    }
  }
  return rankSum(refusals.slice(warmUp));
};

/** Right but for its end, or wrong from its beginning; what is wrong is of letters and digits like the rest. */
const guessed = (): { readonly nearlyRight: boolean; readonly guess: Buffer } => {
  const wrong = randomBytes(3).toString('hex');
  const nearlyRight = randomInt(2) === 0;
  return { nearlyRight, guess: Buffer.from(nearlyRight ? `${token.slice(0, -6)}${wrong}` : `${wrong}${token.slice(6)}`) };
};

/**
 * Mann and Whitney's U in standard deviations, ties counted. Ranks, for a machine that does other things interrupts for however
 * long it likes: means, and even means without the slowest, differ by chance far more often than their variance says.
 */
const rankSum = (refusals: readonly Refusal[]): number => {
  const sorted = refusals.toSorted((a, b) => a.took - b.took);
  const total = sorted.length;
  let [sum, of, ties] = [0, 0, 0];
  for (let from = 0, to = 0; from < total; from = to) {
    while (to < total && sorted[to]?.took === sorted[from]?.took) to += 1;
    const nearlyRight = sorted.slice(from, to).filter((one) => one.nearlyRight).length;
    sum += nearlyRight * ((from + to + 1) / 2);
    of += nearlyRight;
    ties += (to - from) ** 3 - (to - from);
  }
  const variance = ((of * (total - of)) / 12) * (total + 1 - ties / (total * (total - 1)));
  return (sum - (of * (total + 1)) / 2) / Math.sqrt(variance);
};

describe('The time that a wrong token takes', () => {
  it('does not tell how much of it was right (S4)', () => {
    const check = createCredentialsCheck({ token: () => token, loopback: true, now: () => performance.now() });
    let refused = 0;
    const difference = differenceBetween((guess) => {
      if (check(`Bearer ${guess}`, '127.0.0.1') instanceof Problem) refused += 1;
    });
    expect(refused).toBe(samples + warmUp);
    expect(Math.abs(difference)).toBeLessThan(limit);
  });

  it('would tell if characters were compared one by one: the measure sees it', () => {
    let equal = 0;
    const difference = differenceBetween((guess) => {
      for (let at = 0; at < token.length && guess[at] === token[at]; at += 1) equal += 1;
    });
    expect(equal).toBeGreaterThan(samples);
    expect(Math.abs(difference)).toBeGreaterThan(limit);
  });
});
