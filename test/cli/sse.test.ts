/** Server-sent events in whatever pieces they come. */
import { describe, expect, it } from 'vitest';
import { createEventParser, type ServerEvent } from '../../src/cli/sse.ts';

const parse = (pieces: readonly string[]): ServerEvent[] => {
  const events: ServerEvent[] = [];
  const take = createEventParser((event) => events.push(event));
  for (const piece of pieces) take(piece);
  return events;
};

const stream = ': hello\nid: 1\nevent: a\ndata: one\ndata: two\n\ndata:three\n\nid: 2\n\nevent: b\ndata\n\nretry: 5\ndata: x: y\n\n';
const expected: ServerEvent[] = [
  { id: '1', event: 'a', data: 'one\ntwo' },
  { id: '1', event: 'message', data: 'three' },
  { id: '2', event: 'b', data: '' },
  { id: '2', event: 'message', data: 'x: y' },
];

describe('the event parser', () => {
  it.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('reads %s lines, whole and character by character', (_, ending) => {
    const text = `${stream.replaceAll('\n', ending)}: end${ending}`;
    expect(parse([text])).toEqual(expected);
    expect(parse([...text])).toEqual(expected);
  });

  it('keeps an unfinished event to itself', () => {
    expect(parse(['data: half\n'])).toEqual([]);
  });

  it('does not let a line grow without end', () => {
    expect(() => parse(Array.from({ length: 3 }, () => 'x'.repeat(512 * 1024)))).toThrow('more than 1048576 characters');
  });
});
