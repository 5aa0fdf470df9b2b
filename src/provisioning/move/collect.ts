/** What of a store can be carried to another machine, and what cannot and why. Reads, and changes nothing. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import * as v from 'valibot';
import { adapterFor } from '../../engines/index.ts';
import type { EngineName } from '../../machines/vocabulary.ts';
import { type EngineRecord, filesDir } from '../engines/record.ts';
import { hashWhole } from '../fetch/hash-whole.ts';
import { presentModel } from '../models/ensure.ts';
import type { ModelRecord } from '../models/record.ts';
import type { StorePaths } from '../store/paths.ts';
import { collectEnvironment } from './environment/collect-environment.ts';
import type { CarriedEngine, CarriedModel, Manifest, Piece } from './manifest.ts';

export interface Collected {
  readonly manifest: Manifest;
  /** Each content once. */
  readonly pieces: readonly Piece[];
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

interface Sources {
  readonly paths: StorePaths;
  readonly engines: readonly EngineRecord[];
  readonly models: readonly ModelRecord[];
}

const silent = { phase: () => undefined, progress: () => undefined };
const engineName = v.picklist(['llamacpp', 'vllm', 'sglang', 'tgi', 'custom']) satisfies v.GenericSchema<string, EngineName>;

export const collect = async ({ paths, engines, models }: Sources): Promise<Collected> => {
  const pieces = new Map<string, Piece>();
  const leftOut: { name: string; why: string }[] = [];
  const carriedEngines: CarriedEngine[] = [];
  const carriedModels: CarriedModel[] = [];
  const keep = (found: readonly Piece[]): void => {
    for (const piece of found) pieces.set(piece.sha256, pieces.get(piece.sha256) ?? piece);
  };
  for (const record of engines) {
    const found = await engineOf(record, filesDir(join(paths.engines, record.key)));
    if (typeof found === 'string') leftOut.push({ name: record.from, why: found });
    else {
      carriedEngines.push(found.engine);
      keep(found.pieces);
    }
  }
  for (const record of models) {
    const found = (await presentModel(paths.modelRecords, record.key)) === null ? 'it is not whole' : await modelOf(record);
    if (typeof found === 'string') leftOut.push({ name: record.reference, why: found });
    else {
      carriedModels.push(found.model);
      keep(found.pieces);
    }
  }
  return { manifest: { version: 1, engines: carriedEngines, models: carriedModels }, pieces: [...pieces.values()], leftOut };
};

const engineOf = async (
  record: EngineRecord,
  dir: string,
): Promise<{ readonly engine: CarriedEngine; readonly pieces: readonly Piece[] } | string> => {
  const { key, from, checksum, executable, build, at } = record;
  const common = { key, engine: adapterFor(v.parse(engineName, record.engine)).name, from, checksum, executable, build, at };
  if (record.packages !== null) {
    const found = await collectEnvironment(record, dir);
    if (typeof found === 'string') return found;
    const { environment, files, pieces } = found;
    return { engine: { ...common, files, environment }, pieces };
  }
  if (record.files.length === 0) return 'an image stays with its runtime; carry it by `podman save` and `podman load`';
  const files = await Promise.all(
    record.files.map(async ({ path, sha256, bytes }) => {
      const isExecutable = ((await stat(join(dir, path))).mode & 0o111) !== 0;
      return { path, sha256, bytes, isExecutable, changedAt: null };
    }),
  );
  return {
    engine: { ...common, files, environment: null },
    pieces: files.map(({ path, sha256, bytes }) => ({ sha256, bytes, path: join(dir, path) })),
  };
};

const modelOf = async (record: ModelRecord): Promise<{ readonly model: CarriedModel; readonly pieces: readonly Piece[] } | string> => {
  const pieces = await Promise.all(record.files.map(async ({ path, bytes, digest }) => ({ path, bytes, sha256: await sha256Of(path, digest) })));
  const { reference, revision, at, asked } = record;
  const files = record.files.map(({ path, bytes, from }, index) => ({ path, bytes, from, sha256: pieces[index]?.sha256 ?? '' }));
  if (revision === null) {
    const named = files.map(({ path, ...file }) => ({ name: basename(path), ...file }));
    return { pieces, model: { kind: 'url', key: record.key, reference, at, main: basename(record.path), files: named } };
  }
  if (asked === null) return 'an earlier version fetched it and did not say what was asked for; `pool-managerd pull` says it';
  const snapshot = snapshotOf(record.path, revision);
  const names = await namesIn(snapshot);
  const named = files.map(({ path, ...file }) => ({ name: names.get(path), blob: basename(path), ...file }));
  const whole = named.flatMap(({ name, ...file }) => (name === undefined ? [] : [{ name, ...file }]));
  if (whole.length < named.length) return 'a name of it is gone from the snapshot of its revision; pull it again';
  const main = record.path === snapshot ? null : relative(snapshot, record.path);
  return { pieces, model: { kind: 'hub', reference, at, asked, commit: revision, main, files: whole } };
};

/** Small files of a hub are known by another digest. */
const sha256Of = async (path: string, digest: string): Promise<string> =>
  digest.startsWith('sha256:') ? digest.slice('sha256:'.length) : (await hashWhole({ kind: 'hash', path }, silent)).sha256;

const snapshotOf = (path: string, commit: string): string => {
  let at = path;
  while (basename(at) !== commit && dirname(at) !== at) at = dirname(at);
  return at;
};

/** Blob → its name. */
const namesIn = async (snapshot: string): Promise<ReadonlyMap<string, string>> => {
  const found = await readdir(snapshot, { recursive: true, withFileTypes: true }).catch(() => []);
  const links = found.filter((each) => each.isSymbolicLink()).map((each) => join(each.parentPath, each.name));
  const led = await Promise.all(links.map(async (link) => [await realpath(link).catch(() => link), relative(snapshot, link)] as const));
  return new Map(led);
};
