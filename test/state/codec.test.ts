import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { ContentRefused, decode, encode, type Form } from '../../src/state/codec.ts';
import { memoryForm } from '../../src/state/forms.ts';
import { memoryOf } from './values.ts';

interface Cat {
  readonly version: 3;
  readonly id: string;
  readonly lives: number;
}

const cats: Form<Cat, Cat> = {
  version: 3,
  schema: v.strictObject({ version: v.literal(3), id: v.string(), lives: v.number() }),
  wrap: (cat) => cat,
  unwrap: (cat) => cat,
  idOf: ({ id }) => id,
  older: {
    1: ({ name, ...rest }) => ({ ...rest, version: 2, id: name }),
    2: (content) => ({ ...content, version: 3, lives: 9 }),
  },
};

describe('A file of an older version', () => {
  it('is brought up step by step', () => {
    expect(decode(cats, 'tom', '{"version":1,"name":"tom"}')).toEqual({ version: 3, id: 'tom', lives: 9 });
    expect(decode(cats, 'tom', '{"version":2,"id":"tom"}')).toEqual({ version: 3, id: 'tom', lives: 9 });
    expect(decode(cats, 'tom', '{"version":3,"id":"tom","lives":1}')).toEqual({ version: 3, id: 'tom', lives: 1 });
  });

  it('that cannot be brought up, or is not what its version says, is refused', () => {
    const { 1: _, ...laterOnly } = cats.older;
    expect(() => decode({ ...cats, older: laterOnly }, 'tom', '{"version":1,"name":"tom"}')).toThrow('found version 1, which');
    expect(() => decode(cats, 'tom', '{"version":1,"id":"tom"}')).toThrow(ContentRefused);
  });
});

describe('The checksum', () => {
  const text = encode(memoryForm, 'a', memoryOf('a'));

  it('finds every other digit, letter or key', () => {
    expect(decode(memoryForm, 'a', text)).toEqual(memoryOf('a'));
    for (const [was, is] of [
      ['"count":3', '"count":2'],
      ['"up"', '"down"'],
      ['33/33', '32/33'],
      ['"sha256"', '"sha257"'],
    ] as const) {
      expect(text).toContain(was);
      expect(() => decode(memoryForm, 'a', text.replace(was, is))).toThrow(ContentRefused);
    }
  });

  it('does not mind how the JSON is laid out, and a person may leave it out', () => {
    expect(decode(memoryForm, 'a', JSON.stringify(JSON.parse(text), null, 2))).toEqual(memoryOf('a'));
    expect(decode(memoryForm, 'a', JSON.stringify(memoryOf('a')))).toEqual(memoryOf('a'));
  });
});
