/** Whether the time that a wrong token takes tells how much of it was right: Welch's t over 100,000 interleaved refusals. */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createCredentialsCheck } from '../../src/http/gate/credentials.ts';
import { Problem } from '../../src/http/problems.ts';

const token = 'k7Qm2v'.repeat(40);
const samples = 100_000;
/** By chance once in 200,000. */
const limit = 4.5;

/** Of each kind the fastest nine of ten: what interrupts a process says nothing about what it did. */
const tBetween = (judge: (guess: string) => void): number => {
  // Right but for its end, and wrong from its beginning. Fresh strings each time, as they come from a socket.
  const kinds = [(n: number) => `${token.slice(0, -6)}${pad(n)}`, (n: number) => `${pad(n)}${token.slice(6)}`] as const;
  const times: [number[], number[]] = [[], []];
  for (let n = 0; n < samples + 2_000; n += 1) {
    const kind = randomInt(2) === 0 ? 0 : 1;
    const guess = Buffer.from(kinds[kind](n)).toString('latin1');
    const begun = process.hrtime.bigint();
    judge(guess);
    const took = Number(process.hrtime.bigint() - begun);
    if (n >= 2_000) times[kind].push(took);
  }
  const [one, other] = times.map((of) => of.sort((a, b) => a - b).slice(0, Math.floor(of.length * 0.9)));
  return welch(one ?? [], other ?? []);
};

const pad = (n: number): string => String(n).padStart(6, '!');

const welch = (one: readonly number[], other: readonly number[]): number => {
  const [a, b] = [moments(one), moments(other)];
  return (a.mean - b.mean) / Math.sqrt(a.variance / one.length + b.variance / other.length);
};

const moments = (values: readonly number[]): { readonly mean: number; readonly variance: number } => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1) };
};

describe('The time that a wrong token takes', () => {
  it('does not tell how much of it was right (S4)', () => {
    const check = createCredentialsCheck({ token: () => token, loopback: true, now: () => performance.now() });
    let refused = 0;
    const t = tBetween((guess) => {
      if (check(`Bearer ${guess}`, '127.0.0.1') instanceof Problem) refused += 1;
    });
    expect(refused).toBe(samples + 2_000);
    expect(Math.abs(t)).toBeLessThan(limit);
  });

  it('would tell if characters were compared one by one: the measure sees it', () => {
    let equal = 0;
    const t = tBetween((guess) => {
      for (let at = 0; at < token.length && guess[at] === token[at]; at += 1) equal += 1;
    });
    expect(equal).toBeGreaterThan(samples);
    expect(Math.abs(t)).toBeGreaterThan(limit);
  });
});
