/** Everything that the store holds: models, engines, and what is left of either. Reads, and changes nothing. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type EngineRecord, listEngines } from '../engines/record.ts';
import { listRecords, type ModelRecord } from '../models/record.ts';
import type { StorePaths } from '../store/paths.ts';

export interface Inventory {
  readonly models: readonly ModelRecord[];
  readonly engines: readonly (EngineRecord & { readonly dir: string; readonly bytes: number })[];
  /** Files and folders that belong to no record: parts of downloads, and what records that are gone left behind. */
  readonly rest: readonly { readonly path: string; readonly bytes: number; readonly isPart: boolean }[];
}

export const takeInventory = async (paths: StorePaths): Promise<Inventory> => {
  const [models, engines] = await Promise.all([listRecords(paths.modelRecords), listEngines(paths.engines)]);
  const known = new Set(models.flatMap(({ files }) => files.map(({ path }) => path)));
  const blobs = (
    await Promise.all((await names(paths.hub)).filter((name) => name.startsWith('models--')).map((name) => below(join(paths.hub, name, 'blobs'))))
  ).flat();
  const fetched = (await Promise.all((await names(paths.models)).map((name) => below(join(paths.models, name))))).flat();
  const engineNames = new Set(engines.map(({ key }) => key));
  const strays = (await names(paths.engines)).filter((name) => !engineNames.has(name)).map((name) => join(paths.engines, name));
  const parts = await below(paths.parts);
  const rest = [
    ...parts.map((path) => ({ path, isPart: true })),
    ...[...blobs, ...fetched].filter((path) => !known.has(path)).map((path) => ({ path, isPart: path.includes('.incomplete') })),
    ...strays.map((path) => ({ path, isPart: false })),
  ];
  return {
    models,
    engines: await Promise.all(
      engines.map(async (engine) => ({
        ...engine,
        dir: join(paths.engines, engine.key),
        bytes: await bytesOf(join(paths.engines, engine.key)),
      })),
    ),
    rest: await Promise.all(rest.map(async (each) => ({ ...each, bytes: await bytesOf(each.path) }))),
  };
};

const names = (dir: string): Promise<readonly string[]> =>
  readdir(dir).then(
    (found) => found.sort(),
    () => [],
  );

const below = async (dir: string): Promise<readonly string[]> => (await names(dir)).map((name) => join(dir, name));

/** On disk; a link counts for nothing. */
const bytesOf = async (path: string): Promise<number> => {
  const found = await lstat(path).catch(() => null);
  if (found === null) return 0;
  if (!found.isDirectory()) return found.isFile() ? found.size : 0;
  const inside = await Promise.all((await below(path)).map(bytesOf));
  return inside.reduce((sum, bytes) => sum + bytes, 0);
};
