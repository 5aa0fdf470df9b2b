import { expect, it } from 'vitest';
import { textOf } from '../../src/machines/error-text.ts';
import { sanitise } from '../../src/observe/sanitise.ts';

it.each([
  ['an error', new Error('boom'), 'boom'],
  ['an error of a kind', new TypeError('no'), 'no'],
  ['a failure', { cause: { code: 'x' } }, 'an error without a message'],
  ['a text', 'boom', 'boom'],
  ['nothing', null, 'an error without a message'],
  ['a number', 5, '5'],
])('The words of %s are the same live and read from a journal', (_, error, words) => {
  expect(textOf(error)).toBe(words);
  expect(textOf(JSON.parse(JSON.stringify(sanitise(error))))).toBe(words);
});
