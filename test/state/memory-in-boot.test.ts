import { describe, expect, it } from 'vitest';
import { memoryInBoot } from '../../src/state/boot-plan.ts';
import { memoryOf } from './values.ts';

const retry = {
  delayMs: 900,
  at: 1_700_000_000_000,
  mono: 2_900,
  reason: { code: 'engine_exited', message: 'ended', at: null },
  specHash: 'one',
} as const;

describe('a wait that is remembered', () => {
  it('is what is left of it in the same boot', () => {
    expect(memoryInBoot(memoryOf('a', { retry }), { boot: 'boot', mono: 2_500 }, null).retry).toEqual({ ...retry, delayMs: 400 });
  });

  it.each([
    ['once it is due', { boot: 'boot', mono: 2_900 }],
    ['in another boot, whose clock is another one', { boot: 'next', mono: 10 }],
  ])('is none %s', (_, now) => {
    expect(memoryInBoot(memoryOf('a', { retry }), now, null).retry).toBeNull();
  });
});
