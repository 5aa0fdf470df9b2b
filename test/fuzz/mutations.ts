/** Ten thousand cases of anything, the same in every run: texts that are nearly right, and texts that are not at all. */
import { type Arbitrary, array, constantFrom, dictionary, integer, json, oneof, sample, string, tuple } from 'fast-check';

export const cases = 10_000;
const seed = 20_260;

export const manyOf = <T>(arbitrary: Arbitrary<T>): readonly T[] => sample(arbitrary, { numRuns: cases, seed });

/** What has broken parsers, paths and shells before. */
const spice = [
  ...['../', '..%2f', '%2e%2e/', '%252e', '\\..\\', '/etc/passwd', '\0', '%00', ';id', '$(id)', '`id`', '|id', '-', '--', '--rpc', '~', 'CON'],
  ...[
    'ﬀ',
    'İ',
    'ı',
    '\u202e',
    '\u2028',
    '１２７',
    '😀',
    '\ud800',
    'a'.repeat(64),
    'A',
    '_',
    '.',
    ' ',
    '\t',
    '\r\n',
    '"',
    "'",
    '<',
    '&',
    '%',
    '@',
    '#',
    '?',
  ],
];

/** Pieces of what is expected and of what is not, put together. */
export const mixed = (right: readonly string[], most = 8): Arbitrary<string> =>
  array(oneof({ weight: 3, arbitrary: constantFrom(...right) }, constantFrom(...spice), string({ maxLength: 4 })), { maxLength: most }).map((parts) =>
    parts.join(''),
  );

/** Values of known keys and of others, right ones among wrong ones, `__proto__` and the like included. */
export const nearly = (right: Readonly<Record<string, readonly unknown[]>>): Arbitrary<string> => {
  const odd = constantFrom<unknown>(...spice, 0, -0, -1, 1.5, 2 ** 53, 1e308, null, true, [], {}, [[]], { a: {} });
  const keys = Object.keys(right);
  const fields = keys.map((key) => oneof({ weight: 60, arbitrary: constantFrom(...(right[key] ?? [])) }, { weight: 1, arbitrary: odd }));
  const object = tuple(
    integer({ min: 0, max: 2 ** keys.length - 1 }),
    tuple(...fields),
    dictionary(constantFrom('__proto__', 'constructor', 'x'), odd, { maxKeys: 1 }),
  ).map(([mask, values, more]) => {
    // Most keys are there.
    const entries = keys.map((key, index) => [key, values[index]] as const).filter((_, index) => (mask & (3 << index)) !== 0);
    return JSON.stringify({ ...Object.fromEntries(entries), ...more });
  });
  return oneof({ weight: 6, arbitrary: object }, { weight: 1, arbitrary: json({ maxDepth: 6 }) }, { weight: 2, arbitrary: damaged(object) });
};

/** Cut short, doubled, nested beyond reason, or with one character changed. */
const damaged = (text: Arbitrary<string>): Arbitrary<string> =>
  tuple(text, integer({ min: 0, max: 200 }), integer({ min: 0, max: 4 }), constantFrom(...spice)).map(([whole, at, how, char]) => {
    if (how === 0) return whole.slice(0, at);
    if (how === 1) return whole + whole;
    if (how === 2) return '['.repeat(at * 100) + whole + ']'.repeat(at * 100);
    if (how === 3) return '{"a":'.repeat(at * 10) + whole;
    return whole.slice(0, at) + char + whole.slice(at + 1);
  });
