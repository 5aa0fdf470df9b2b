/**
 * The API token as it stands now. A token file is looked at again when it is asked for, at most once a second, and read when
 * it has changed, so that a token rotates without a restart.
 *
 * A file that is bad or gone after it was good changes nothing: the last good token stays in force and the mistake is told.
 */
import { type Stats, statSync } from 'node:fs';
import { assertNever } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Environment, TokenSetting } from './environment.ts';
import { readSmallFile } from './read-file.ts';
import { tokenProblem } from './token-rules.ts';
import { isToken } from './variables.ts';

export interface TokenSource {
  /** Null: none is set. Cheap enough for every request. */
  current(): string | null;
  /** Reads the file now; one line per mistake. */
  reload(): readonly string[];
  /** What is allowed and still worth a word, from the last reading. */
  warnings(): readonly string[];
  /** Has told what `current` comes upon from now on. */
  listen(listener: TokenListener): void;
}

export interface TokenListener {
  /** Told once for each. */
  readonly mistake: (line: string) => void;
  /** Another token is in force; of `reload` too. */
  readonly changed: (token: string) => void;
}

export interface TokenSourceOptions {
  /** Monotonic milliseconds. */
  readonly mono?: () => number;
}

/** Between two looks at the file. */
export const lookEveryMs = 1000;
const longestBytes = 8192;

export const createTokenSource = ({ token, bind }: Pick<Environment, 'token' | 'bind'>, options: TokenSourceOptions = {}): TokenSource => {
  switch (token.kind) {
    case 'none':
      return fixed(null, tokenProblem(null, 'LLORCH_API_TOKEN', bind.loopback));
    case 'value':
      return fixed(token.value, tokenProblem(token.value, 'LLORCH_API_TOKEN', bind.loopback));
    case 'file':
    case 'credential':
      return byDeclaration(token, bind.loopback, options);
    default:
      return assertNever(token);
  }
};

const fixed = (token: string | null, problem: string | null): TokenSource => ({
  current: () => token,
  reload: () => (problem === null ? [] : [problem]),
  warnings: () => [],
  listen: () => {},
});

type FileSetting = Extract<TokenSetting, { kind: 'file' | 'credential' }>;

const byDeclaration = (setting: FileSetting, loopback: boolean, { mono = () => stamp().mono }: TokenSourceOptions): TokenSource => {
  let token: string | null = null;
  let listener: TokenListener = { mistake: () => {}, changed: () => {} };
  let warnings: readonly string[] = [];
  let seen = 'never read';
  let lookedMono = Number.NEGATIVE_INFINITY;
  const reload = (): readonly string[] => {
    lookedMono = mono();
    seen = fingerprintOf(setting.file);
    const reading = readToken(setting, loopback);
    if (!reading.ok) return [reading.mistake];
    if (reading.token === null && token !== null)
      return [`expected a token in ${setting.file}, found no such file; the one that was there stays in force`];
    const isAnother = token !== null && reading.token !== null && reading.token !== token;
    ({ token, warnings } = reading);
    if (isAnother && token !== null) listener.changed(token);
    return [];
  };
  return {
    current: () => {
      if (mono() - lookedMono < lookEveryMs) return token;
      lookedMono = mono();
      if (fingerprintOf(setting.file) !== seen) for (const mistake of reload()) listener.mistake(mistake);
      return token;
    },
    reload,
    warnings: () => warnings,
    listen: (given) => {
      listener = given;
    },
  };
};

/** Changes whenever the file does. Why it cannot be looked at is told by the reading that follows. */
const fingerprintOf = (file: string): string => {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'cannot be looked at';
  }
};

type Reading =
  | { readonly ok: true; readonly token: string | null; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly mistake: string };

const readToken = ({ kind, file }: FileSetting, loopback: boolean): Reading => {
  const name = kind === 'file' ? 'LLORCH_API_TOKEN_FILE' : 'credential api-token';
  const read = readSmallFile(file, longestBytes);
  if (!read.ok) {
    if (!read.missing || kind === 'file')
      return { ok: false, mistake: `${name}: expected a token in ${file}, which cannot be read: ${read.problem}` };
    return judged(null, name, loopback, []);
  }
  const token = read.text.trim();
  // The unit's stand-in where nobody has set one: LoadCredential= alone fails without a file.
  if (token === '' && kind === 'credential') return judged(null, name, loopback, []);
  if (!isToken(token)) {
    return {
      ok: false,
      mistake: `${name}: expected one token of visible ASCII characters, at most 4096, in ${file}, found ${token === '' ? 'none' : 'something else'}`,
    };
  }
  return judged(token, name, loopback, openToOthers(name, file, read.stats));
};

const judged = (token: string | null, name: string, loopback: boolean, warnings: readonly string[]): Reading => {
  const mistake = tokenProblem(token, name, loopback);
  return mistake === null ? { ok: true, token, warnings } : { ok: false, mistake };
};

const openToOthers = (name: string, file: string, { mode }: Stats): readonly string[] =>
  (mode & 0o006) === 0 ? [] : [`${name}: ${file} is open to every user of this machine; chmod 600 it`];
