/**
 * The pools file → the pools it declares, with every default filled in, or every mistake in it with its line. A file with one
 * mistake declares nothing.
 */
import { hash } from 'node:crypto';
import type { PoolSpec } from '../machines/vocabulary.ts';
import type { Path } from './check-shape.ts';
import { isMap } from './check-shape.ts';
import type { PoolsFileSetting } from './environment.ts';
import { lineOf, pathText } from './mistake.ts';
import { parseWith } from './parse-with.ts';
import { poolsFileSchema } from './pool-schema.ts';
import { readSmallFile } from './read-file.ts';
import { readYaml } from './yaml-text.ts';

export type PoolsResult =
  | { readonly ok: true; readonly pools: readonly PoolSpec[]; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly mistakes: readonly string[] };

export const mostPoolsBytes = 1024 * 1024;
const mostMistakes = 100;
const mostLocated = 1000;

/** Reads the file at each call, and parses it when its text is another than at the call before: of hundreds of pools that is dear. */
export const createPoolsReader = (setting: PoolsFileSetting): (() => PoolsResult) => {
  let last: { readonly digest: string; readonly result: PoolsResult } | null = null;
  return () =>
    loadPools(setting, (text, place) => {
      const digest = hash('sha256', text);
      if (last?.digest !== digest) last = { digest, result: parsePools(text, place) };
      return last.result;
    });
};

/** A missing default file is no pools and a warning; a missing one that was named is a mistake. */
export const loadPools = ({ file, explicit }: PoolsFileSetting, parse = parsePools): PoolsResult => {
  const read = readSmallFile(file, mostPoolsBytes);
  if (read.ok) return parse(read.text, { file });
  if (read.missing && !explicit) {
    return { ok: true, pools: [], warnings: [`${file}: there is no pools file, so no pools are declared; POOL_MANAGERD_CONFIG names another`] };
  }
  const what = read.missing
    ? 'expected the pools file that was named (POOL_MANAGERD_CONFIG, --pools), found none'
    : `cannot be read: ${read.problem}`;
  return { ok: false, mistakes: [`${file}: ${what}`] };
};

export const parsePools = (text: string, { file }: { readonly file: string }): PoolsResult => {
  if (Buffer.byteLength(text) > mostPoolsBytes) return { ok: false, mistakes: [`${file}: expected at most ${mostPoolsBytes} bytes, found more`] };
  const yaml = readYaml(text);
  const twice = yaml.mistakes.map(({ line, message }) => ({ line, text: message }));
  if (!yaml.ok) return failed(file, twice);
  const parsed = parseWith(poolsFileSchema, yaml.value);
  const mistakes = [...repeatedIds(yaml.value), ...(parsed.ok ? [] : parsed.mistakes)];
  if (!parsed.ok || mistakes.length > 0 || twice.length > 0) {
    // Finding a line takes time; far more are found than are told, so that those told are the first of the file.
    const located = mistakes.slice(0, mostLocated).map(({ path, value, expected }) => ({
      line: yaml.lineOf(path),
      text: lineOf({ key: path.length === 0 ? 'the file' : pathText(path), value, expected }),
    }));
    return failed(file, [...twice, ...located], mistakes.length - located.length);
  }
  const { pools } = parsed.output;
  return { ok: true, pools, warnings: pools.length === 0 ? [`${file}: declares no pools`] : [] };
};

interface Located {
  readonly line: number;
  readonly text: string;
}

/** In the order of the file. `besides`: mistakes that were not located. */
const failed = (file: string, mistakes: readonly Located[], besides = 0): PoolsResult => {
  const lines = [...mistakes].sort((a, b) => a.line - b.line).map(({ line, text }) => `${file}:${line}: ${text}`);
  const more = lines.length - mostMistakes + besides;
  return { ok: false, mistakes: more > 0 ? [...lines.slice(0, mostMistakes), `${file}: ${more} more mistakes`] : lines };
};

/** Looked for in the raw value, since one bad pool must not hide it. */
const repeatedIds = (value: unknown): readonly { readonly path: Path; readonly value: unknown; readonly expected: string }[] => {
  const pools = isMap(value) && Array.isArray(value['pools']) ? value['pools'] : [];
  const first = new Map<string, number>();
  return pools.flatMap((pool: unknown, index) => {
    const id = isMap(pool) ? pool['id'] : undefined;
    if (typeof id !== 'string') return [];
    const before = first.get(id);
    if (before === undefined) first.set(id, index);
    return before === undefined ? [] : [{ path: ['pools', index, 'id'], value: id, expected: `an id of its own (pools[${before}] has it)` }];
  });
};
