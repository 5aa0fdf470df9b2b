import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sanitise } from '../../src/observe/sanitise.ts';

describe('a sanitised form', () => {
  it.each([
    [{ token: 'x' }, { token: '[redacted]' }],
    [{ env: { HF_TOKEN: 'x', OPENAI_API_KEY: 'x', LANG: 'C' } }, { env: { HF_TOKEN: '[redacted]', OPENAI_API_KEY: '[redacted]', LANG: 'C' } }],
    [{ passwords: ['a', 'b'] }, { passwords: ['[redacted]', '[redacted]'] }],
    [
      { api_key_file: '/etc/key', LLORCH_API_TOKEN_FILE: '/run/token' },
      { api_key_file: '/etc/key', LLORCH_API_TOKEN_FILE: '/run/token' },
    ],
    [{ firstTokenMs: 12 }, { firstTokenMs: 12 }],
    [{ token: { path: '/completion', body: '{}' } }, { token: { path: '/completion', body: '{}' } }],
    [
      ['--api-key', 'x', '--port', '1'],
      ['--api-key', '[redacted]', '--port', '1'],
    ],
    [['--api-key=x'], ['--api-key=[redacted]']],
    [
      ['--api-key', '--port'],
      ['--api-key', '--port'],
    ],
    ['sent "Authorization: Bearer abc.def" to it', 'sent "Authorization: Bearer [redacted]" to it'],
    [new Error('with Bearer abc'), { name: 'Error', message: 'with Bearer [redacted]' }],
    [{ toJSON: () => ({ secret: 's' }) }, { secret: '[redacted]' }],
  ])('of %j is %j', (value, expected) => {
    expect(JSON.parse(JSON.stringify(sanitise(value)))).toEqual(expected);
  });

  it('of what JSON cannot hold has text or nothing in its place', () => {
    expect(sanitise({ action: () => 1, count: 3n })).toEqual({ action: undefined, count: '3' });
  });

  it('is the same when made twice, and is JSON, whatever the data', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const once = sanitise(value);
        expect(JSON.stringify(sanitise(once))).toBe(JSON.stringify(once));
      }),
    );
  });

  it('copies only what it takes something out of, and changes nothing of what it is given', () => {
    const clean = { list: ['--port', '1'], deep: { LANG: 'C' } };
    const given = { clean, env: { HF_TOKEN: 'x' } };
    const shown = sanitise(given);
    expect(shown).toEqual({ clean, env: { HF_TOKEN: '[redacted]' } });
    expect(Object(shown).clean).toBe(clean);
    expect(given.env).toEqual({ HF_TOKEN: 'x' });
  });

  it('within limits is short, also of what contains itself', () => {
    const ring: Record<string, unknown> = { text: 'x'.repeat(10_000), list: Array.from({ length: 1_000 }, () => 'item') };
    ring['self'] = ring;
    const text = JSON.stringify(sanitise(ring, { depth: 3, text: 100, items: 10 }));
    expect(text.length).toBeLessThan(2_000);
    expect(text).toContain('[too deep]');
    expect(text).toContain('990 more');
  });
});
