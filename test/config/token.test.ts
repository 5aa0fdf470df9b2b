/** The token: where it comes from, how it rotates, and what happens to a file that goes bad. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TokenSetting } from '../../src/config/environment.ts';
import { createTokenSource, lookEveryMs, type TokenSource } from '../../src/config/token.ts';

const first = 'first-b7c1e09d55aa4e21';
const second = 'second-19dd02fe83c0aa71';
const loopback = { host: '127.0.0.1', port: 9200, loopback: true };
const open = { host: '0.0.0.0', port: 9200, loopback: false };

let folder: string;
let file: string;
let now: number;
let told: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-'));
  file = join(folder, 'api-token');
  now = 0;
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (text: string, mode = 0o600): void => {
  writeFileSync(`${file}.new`, text, { mode });
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
};
const source = (kind: 'file' | 'credential' = 'file', bind = loopback): TokenSource => {
  const source = createTokenSource({ token: { kind, file }, bind }, { mono: () => now });
  source.listen({ mistake: (line) => told.push(line), changed: (token) => told.push(`changed to ${token}`) });
  return source;
};

describe('a token file', () => {
  it('gives its token without the line end', () => {
    write(`${first}\n`);
    const token = source();
    expect(token.reload()).toEqual([]);
    expect(token.current()).toBe(first);
    expect(token.warnings()).toEqual([]);
  });

  it('rotates without a restart, looked at once a second', () => {
    write(first);
    const token = source();
    token.reload();
    write(second);
    now += lookEveryMs - 1;
    expect(token.current()).toBe(first);
    now += 1;
    expect(token.current()).toBe(second);
    expect(told).toEqual([`changed to ${second}`]);
  });

  it.each([
    ['is emptied', () => writeFileSync(file, '')],
    ['is removed', () => rmSync(file)],
    [
      'becomes a folder of the same name',
      () => {
        rmSync(file);
        execFileSync('mkdir', [file]);
      },
    ],
    [
      'becomes a FIFO',
      () => {
        rmSync(file);
        execFileSync('mkfifo', [file]);
      },
    ],
    ['holds two words', () => write('two words')],
    ['grows beyond measure', () => write('x'.repeat(10_000))],
  ])('that %s leaves the last good token in force, tells it once, and recovers', (_, spoil) => {
    write(first);
    const token = source();
    token.reload();
    spoil();
    now += lookEveryMs;
    expect(token.current()).toBe(first);
    now += lookEveryMs;
    expect(token.current()).toBe(first);
    expect(told).toEqual([expect.stringMatching(/^LLORCH_API_TOKEN_FILE: expected /)]);
    expect(token.reload()).toEqual(told);
    rmSync(file, { recursive: true, force: true });
    write(second);
    now += lookEveryMs;
    expect(token.current()).toBe(second);
  });

  it('must be there at the start', () => {
    expect(source().reload()).toEqual([expect.stringMatching(/^LLORCH_API_TOKEN_FILE: expected a token in .*ENOENT/)]);
  });

  it('open to everybody is a warning', () => {
    write(first, 0o644);
    const token = source();
    expect(token.reload()).toEqual([]);
    expect(token.warnings()).toEqual([expect.stringMatching(/chmod 600/)]);
  });

  it('must hold a strong token where other machines reach the API, and a weak one does not replace it', () => {
    write(first);
    const token = source('file', open);
    expect(token.reload()).toEqual([]);
    write('short');
    expect(token.reload()).toEqual([
      expect.stringMatching(/^LLORCH_API_TOKEN_FILE: expected a random token of at least 16 characters.* found one of 5/),
    ]);
    expect(token.current()).toBe(first);
  });

  it('never shows in a mistake', () => {
    write('canary canary');
    expect(source().reload().join()).not.toContain('canary canary');
  });
});

describe('a credential', () => {
  it('need not be there on loopback', () => {
    const token = source('credential');
    expect(token.reload()).toEqual([]);
    expect(token.current()).toBeNull();
  });

  it('must be there where other machines reach the API', () => {
    expect(source('credential', open).reload()).toEqual([expect.stringMatching(/^credential api-token: expected a token/)]);
  });

  it('that vanishes stays in force', () => {
    write(first);
    const token = source('credential');
    token.reload();
    rmSync(file);
    now += lookEveryMs;
    expect(token.current()).toBe(first);
    expect(told).toHaveLength(1);
  });
});

it.each<[TokenSetting, string | null, number]>([
  [{ kind: 'none' }, null, 1],
  [{ kind: 'value', value: first }, first, 0],
  [{ kind: 'value', value: 'short' }, 'short', 1],
])('%j is judged by where the API listens', (token, current, mistakes) => {
  expect(createTokenSource({ token, bind: loopback }).current()).toBe(current);
  expect(createTokenSource({ token, bind: loopback }).reload()).toEqual([]);
  expect(createTokenSource({ token, bind: open }).reload()).toHaveLength(mistakes);
});
