/**
 * The files of the dashboard, as they are served: types stripped, compressed once, named by a digest of their content.
 *
 * All are read together at the first request, so that a page never meets scripts of another version. They are part of the
 * program, in folders beside it or inside the executable: nothing is fetched from elsewhere and nothing is written.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname, join } from 'node:path';
import { getAsset, getAssetKeys, isSea } from 'node:sea';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface ServedFile {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** By name. */
export type ServedFiles = ReadonlyMap<string, ServedFile>;

/** What is not listed is not served. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const encoder = new TextEncoder();
const compress = promisify(gzip);

export const readServedFiles = async (): Promise<ServedFiles> => {
  const texts = isSea() ? textsInside() : await textsBeside();
  const files = texts.map(async ([name, text]) => [name, await served(name, text)] as const);
  return new Map((await Promise.all(files)).sort(([one], [other]) => one.localeCompare(other)));
};

type NamedText = readonly [name: string, text: string];

/** In the executable. */
const textsInside = (): NamedText[] =>
  getAssetKeys()
    .filter((key) => key.startsWith(assetPrefix))
    .map((key) => [key.slice(assetPrefix.length), getAsset(key, 'utf8')]);

const textsBeside = async (): Promise<NamedText[]> =>
  Promise.all(Object.entries(await servedPaths()).map(async ([name, path]) => [name, await readFile(path, 'utf8')] as const));

/** What their keys in the executable begin with. */
export const assetPrefix = 'dashboard/';

/** Where the sources of all that is served lie, by name. */
export const servedPaths = async (): Promise<Readonly<Record<string, string>>> => {
  const folders = [join(import.meta.dirname, 'page'), join(import.meta.dirname, '..', '..', '..', 'statecharts')];
  const paths = folders.map(async (folder) =>
    (await readdir(folder)).filter((name) => extname(name) in types).map((name): NamedText => [name, join(folder, name)]),
  );
  return Object.fromEntries((await Promise.all(paths)).flat().sort(([one], [other]) => one.localeCompare(other)));
};

const served = async (name: string, text: string): Promise<ServedFile> => {
  const plain = encoder.encode(extname(name) === '.ts' ? asScript(text) : text);
  return {
    type: types[extname(name)] ?? 'application/octet-stream',
    plain,
    gzipped: new Uint8Array(await compress(plain, { level: 9 })),
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
  };
};

/** Types become spaces, so that lines and columns stay; those at the end of a line are of no use to anybody. */
const asScript = (text: string): string => stripTypeScriptTypes(text).replaceAll(/[ \t]+$/gm, '');
