import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/config/did-you-mean.ts';
import { variableNames } from '../../src/config/variables.ts';

/** One mistake at a keyboard: a letter left out, put in, or taken for another. */
const mistakes = {
  left: (name: string, at: number) => name.slice(0, at) + name.slice(at + 1),
  put: (name: string, at: number) => `${name.slice(0, at)}x${name.slice(at)}`,
  taken: (name: string, at: number) => `${name.slice(0, at)}x${name.slice(at + 1)}`,
};
const mistake = fc.tuple(fc.constantFrom(mistakes.left, mistakes.put, mistakes.taken), fc.nat({ max: 40 }));

describe('the name that was meant', () => {
  it('is found behind two mistakes, wherever they are', () => {
    fc.assert(
      fc.property(fc.constantFrom(...variableNames), mistake, mistake, (name, [one, here], [other, there]) => {
        const typed = other(one(name, here % name.length), there % name.length);
        expect(nearest(typed, [name])).toBe(name);
      }),
    );
  });

  it('is found in whatever case it is written', () => {
    expect(nearest('pool_managerd_bind_adr', variableNames)).toBe('POOL_MANAGERD_BIND_ADDR');
  });

  it('is not guessed from afar', () => {
    expect(nearest('PATH', variableNames)).toBeNull();
    expect(nearest('POOL_MANAGERD_COLOUR', variableNames)).toBeNull();
  });
});
