/**
 * What no pool uses, and its removal. Nothing of a pool is ever among it, nor what somebody is at: its lease is taken first.
 * Caches that the daemon shares with other tools are theirs to clean.
 */
import { readdir, readlink, realpath, rm, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { engineLock } from '../engines/install.ts';
import { modelLock } from '../models/ensure.ts';
import { recordFile } from '../models/record.ts';
import { tryLease } from '../store/lease.ts';
import { importLock, importName, type StorePaths } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { type Inventory, takeInventory } from './inventory.ts';
import { type Used, usersOfEngine, usersOfModel } from './usage.ts';

export interface Removable {
  readonly what: 'model' | 'engine' | 'part';
  readonly key: string;
  /** What a person knows it by. */
  readonly name: string;
  readonly from: string | null;
  readonly bytes: number;
  /** What goes: files, or folders with all that is in them. */
  readonly paths: readonly string[];
}

/** Keeps everything whose use is not certain. */
export const findUnused = async (paths: StorePaths, used: readonly Used[]): Promise<readonly Removable[]> => {
  const inventory = await takeInventory(paths);
  const kept = await keptPaths(inventory, used);
  const models = inventory.models.filter((model) => usersOfModel(used, model).length === 0);
  const goes = (path: string): boolean => isWithin(path, paths.root) && !kept.has(path);
  const partsInUse = inventory.models.filter((model) => usersOfModel(used, model).length > 0).map(({ key }) => key);
  return [
    ...models.map(({ key, reference, files }): Removable => {
      const own = files.filter(({ path }) => goes(path));
      return {
        what: 'model',
        key,
        name: reference,
        from: reference,
        bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
        paths: own.map(({ path }) => path),
      };
    }),
    ...inventory.engines
      .filter((engine) => usersOfEngine(used, engine).length === 0)
      .map(
        ({ key, engine, engineVersion, from, bytes, dir }): Removable => ({
          what: 'engine',
          key,
          name: `${engine} ${engineVersion ?? ''}`.trim(),
          from,
          bytes,
          paths: [dir],
        }),
      ),
    ...inventory.rest
      .filter(({ path }) => goes(path) && !wantedPart(basename(path), used, partsInUse))
      .map(
        ({ path, bytes, isPart }): Removable => ({
          what: 'part',
          key: basename(path),
          name: isPart ? 'unfinished download' : 'left behind',
          from: null,
          bytes,
          paths: [path],
        }),
      ),
  ];
};

const isWithin = (path: string, root: string): boolean => resolve(path).startsWith(`${resolve(root)}/`);

/** Files of models in use, wherever a path leads to them: a running engine may have an older snapshot than its record. */
const keptPaths = async ({ models }: Inventory, used: readonly Used[]): Promise<ReadonlySet<string>> => {
  const kept = new Set(models.filter((model) => usersOfModel(used, model).length > 0).flatMap(({ files }) => files.map(({ path }) => path)));
  for (const { modelPath } of used) {
    if (modelPath === null) continue;
    const facts = await stat(modelPath).catch(() => null);
    const folder = facts?.isDirectory() ? modelPath : dirname(modelPath);
    for (const name of await readdir(folder).catch(() => [])) kept.add(await realpath(join(folder, name)).catch(() => join(folder, name)));
  }
  return kept;
};

/** An unfinished download that a pool will go on with. Of a hub's nobody can tell whose it is, while a pool uses that hub. */
const wantedPart = (name: string, used: readonly Used[], keys: readonly string[]): boolean =>
  keys.some((key) => name.startsWith(key)) ||
  used.some(({ spec: { engine, provisioning, model, model_source: source } }) => {
    if (provisioning.mode === 'binary' && name.startsWith(`engine-${engine}-${provisioning.binary.checksum.slice(7, 31)}`)) return true;
    const named = source?.ref ?? model ?? '';
    return named.startsWith('hf:') ? name.includes('.incomplete') : /^https?:/i.test(named) && /^(?:url|sha256)-/.test(name);
  });

/** Null: somebody is at it, and it stays. */
export const remove = async (paths: StorePaths, removable: Removable): Promise<Removable | null> => {
  const { what, key, from, bytes } = removable;
  const gone = await tryLease(lockOf(paths, removable), async () => {
    if (what === 'model') await rm(recordFile(paths.modelRecords, key), { force: true });
    for (const path of removable.paths) await rm(path, { recursive: true, force: true });
    if (what !== 'engine') for (const path of removable.paths) await tidy(paths, path);
    await appendProvenance(paths.provenance, { action: 'removed', what, key, from, revision: null, bytes, digests: [] });
    return removable;
  });
  return gone;
};

const lockOf = (paths: StorePaths, { what, key, paths: [first] }: Removable): string => {
  switch (what) {
    case 'model':
      return modelLock(paths, key);
    case 'engine':
      return engineLock(paths, first ?? key);
    case 'part':
      return partLock(paths, first ?? key);
  }
};

/** That of whoever would write to it. */
const partLock = (paths: StorePaths, path: string): string => {
  const name = basename(path).replace(/\.note\.json$/, '');
  if (name === importName) return importLock(paths);
  const blob = /^([0-9a-f]+)\.incomplete$/.exec(name)?.[1];
  if (blob !== undefined) return join(paths.hub, '.locks', basename(dirname(dirname(path))), `${blob}.lock`);
  const engine = /^(?:engine-|\.staging-)(.+)$/.exec(name)?.[1];
  if (engine !== undefined) return engineLock(paths, join(paths.engines, engine));
  const model = /^((?:url|sha256)-[0-9a-f]+)/.exec(name)?.[1];
  return modelLock(paths, model ?? name);
};

/** Links that lead nowhere any more, and folders that are empty now. */
const tidy = async (paths: StorePaths, path: string): Promise<void> => {
  const repository = dirname(dirname(path));
  if (dirname(repository) !== paths.hub) return removeEmpty(dirname(path), paths.root);
  const links = await readdir(join(repository, 'snapshots'), { recursive: true, withFileTypes: true }).catch(() => []);
  for (const each of links) {
    const link = join(each.parentPath, each.name);
    if (each.isSymbolicLink() && resolve(each.parentPath, await readlink(link)) === path) await unlink(link);
  }
  const isEmpty = (await readdir(join(repository, 'blobs')).catch(() => [])).length === 0;
  if (isEmpty) await rm(repository, { recursive: true, force: true });
};

const removeEmpty = async (dir: string, root: string): Promise<void> => {
  if (!isWithin(dir, root) || dirname(dir) === root || (await readdir(dir).catch(() => ['?'])).length > 0) return;
  await rm(dir, { recursive: true, force: true });
};
