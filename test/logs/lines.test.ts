import { describe, expect, it } from 'vitest';
import { longestLine, splitLines, textOf } from '../../src/logs/lines.ts';

const text = (value: string): string => textOf(Buffer.from(value));

describe('lines of an engine', () => {
  it('are told when they have ended, with the place after each', () => {
    expect(splitLines(Buffer.from('one\n\ntwo\r\nthr'), 100, false)).toEqual({
      lines: [
        { offset: 104, text: 'one' },
        { offset: 105, text: '' },
        { offset: 110, text: 'two' },
      ],
      next: 110,
      within: false,
    });
  });

  it('are told by their beginning once 8 KiB are there, and the rest is passed over, however it comes', () => {
    const long = Buffer.from(`${'a'.repeat(3 * longestLine)}\nb\n`);
    const whole = splitLines(long, 0, false);
    expect(whole.lines.map(({ offset }) => offset)).toEqual([longestLine, long.length]);
    expect(whole.lines[0]?.text).toBe(`${'a'.repeat(longestLine - 1)}…`);
    const early = splitLines(long.subarray(0, longestLine), 0, false);
    expect(early.lines).toEqual(whole.lines.slice(0, 1));
    expect(splitLines(long.subarray(early.next), early.next, early.within).lines).toEqual(whole.lines.slice(1));
    expect(splitLines(long.subarray(0, longestLine - 1), 0, false)).toEqual({ lines: [], next: 0, within: false });
  });

  it('remain one line whatever bytes are in them', () => {
    const shown = textOf(Buffer.from([0x61, 0x00, 0x1b, 0x5b, 0x33, 0x31, 0x6d, 0x09, 0xff, 0xfe, 0x62, 0x0d, 0x63, 0x7f]));
    expect(shown).toBe('a\\x00\\x1b[31m\t\ufffd\ufffdb\\x0dc\\x7f');
    expect(text('a\u2028b\u202ec\u0085d\ufeffe')).toBe('a\\u2028b\\u202ec\\x85d\\ufeffe');
    expect(text('naïve 🦙')).toBe('naïve 🦙');
  });

  it('are never longer than 8 KiB, not by escaping either, and end on whole characters', () => {
    expect(textOf(Buffer.alloc(longestLine - 1))).toHaveLength(longestLine);
    const llamas = Buffer.from('🦙'.repeat(longestLine));
    const { lines } = splitLines(Buffer.concat([Buffer.from('a'), llamas]), 0, false);
    expect(lines[0]?.text).toMatch(/^a🦙+…$/u);
  });
});

describe('secrets in the output of an engine', () => {
  it.each([
    ['Authorization: Bearer abc.def', 'abc.def'],
    ["args: {'api_key': 'squeamish', 'port': 1}", 'squeamish'],
    ["Namespace(api_key=['squeamish'], port=1)", 'squeamish'],
    ['HF_TOKEN=squeamish', 'squeamish'],
    ['"password": "ossifrage"', 'ossifrage'],
    ['AWS_SECRET_ACCESS_KEY=squeamish', 'squeamish'],
    ['x-api-key: squeamish', 'squeamish'],
    ['exec vllm serve --api-key squeamish --port 1', 'squeamish'],
    [`login with hf_${'a'.repeat(34)} failed`, 'aaaa'],
    [`key sk-${'b'.repeat(40)}`, 'bbbb'],
    ['GET https://user:ossifrage@hub.example/model', 'ossifrage'],
  ])('are taken out: %s', (line, secret) => {
    const once = text(line);
    expect(once).toContain('[redacted]');
    expect(once).not.toContain(secret);
    expect(text(once)).toBe(once);
  });

  it.each([
    'llama_context: n_ctx_per_seq = 4096, n_tokens = 5',
    "print_info: EOS token = 2 '</s>'",
    'print_info: max token length = 48',
    'key cache: 12 MiB, token: 7',
    'api_key=None, port=1',
    'http://127.0.0.1:18080/v1/models',
  ])('are not seen where there are none: %s', (line) => {
    expect(text(line)).toBe(line);
  });

  it('cost no more than a moment in the worst line', () => {
    const began = performance.now();
    for (const unit of ['api_key', 'bearer ', 'http://', "password = '", 'sk-a', '--token ']) text(unit.repeat(1200).slice(0, 8000));
    expect(performance.now() - began).toBeLessThan(500);
  });
});
