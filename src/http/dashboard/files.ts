/**
 * The files of the dashboard, as they are served: types stripped, compressed once, named by a digest of their content.
 *
 * All are read together at the first request, so that a page never meets scripts of another version. They are part of the
 * program: nothing is fetched from elsewhere and nothing is written.
 */
import { createHash } from 'node:crypto';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type OwnFolder, ownFilesIn, readOwnFile } from '../../os/own-files.ts';

export interface ServedFile {
  readonly type: string;
  readonly plain: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** By name. */
export type ServedFiles = ReadonlyMap<string, ServedFile>;

const folders = ['src/http/dashboard/page', 'statecharts'] as const;

/** What is not listed is not served. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.ts': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const encoder = new TextEncoder();
const compress = promisify(gzip);

export const readServedFiles = async (): Promise<ServedFiles> =>
  new Map((await Promise.all(folders.map(filesIn))).flat().sort(([one], [other]) => one.localeCompare(other)));

const filesIn = async (folder: OwnFolder): Promise<(readonly [string, ServedFile])[]> => {
  const names = ownFilesIn(folder).filter((name) => extname(name) in types);
  return Promise.all(names.map(async (name) => [name, await served(name, (await readOwnFile(folder, name)).toString('utf8'))] as const));
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
