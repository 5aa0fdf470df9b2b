/** `models`, `engines`, `prune`: what the store holds, which pools use it, and the removal of what none uses. */

import { takeInventory } from '../../provisioning/upkeep/inventory.ts';
import { findUnused, type Removable, remove } from '../../provisioning/upkeep/prune.ts';
import { usersOfEngine, usersOfModel } from '../../provisioning/upkeep/usage.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { type Column, printable, table } from '../table.ts';
import { age, bytes, orDash } from '../words.ts';
import { lookAround } from './store/surroundings.ts';
import { usedSpecs } from './store/used-specs.ts';

export interface StoreOptions {
  readonly poolsFile: string | null;
  readonly json: boolean;
}

const write = ({ stdout }: CliContext, lines: readonly string[]): void => {
  for (const line of lines) stdout.write(`${printable(line)}\n`);
};

export const listModels = async (context: CliContext, { poolsFile, json }: StoreOptions): Promise<void> => {
  const around = lookAround(context, poolsFile);
  const used = await usedSpecs(around);
  const models = (await takeInventory(around.paths)).models.map((model) => ({
    key: model.key,
    reference: model.reference,
    revision: model.revision,
    complete: model.complete,
    bytes: model.files.reduce((sum, file) => sum + file.bytes, 0),
    fetched_at: model.at,
    path: model.path,
    used_by: usersOfModel(used, model),
    files: model.files,
  }));
  const columns: readonly Column<(typeof models)[number]>[] = [
    { head: 'MODEL', cell: (model) => model.reference },
    { head: 'REVISION', cell: (model) => orDash(model.revision?.slice(0, 12) ?? null) },
    { head: 'SIZE', cell: (model) => `${bytes(model.bytes)}${model.complete ? '' : ', not whole'}` },
    { head: 'AGE', cell: (model) => age(model.fetched_at) },
    { head: 'USED BY', cell: (model) => orDash(model.used_by.join(',')) },
    { head: 'PATH', cell: (model) => model.path },
  ];
  write(
    context,
    json ? models.map((model) => JSON.stringify(model)) : models.length === 0 ? [`no models in ${around.paths.root}`] : table(models, columns, false),
  );
};

export const listEngines = async (context: CliContext, { poolsFile, json }: StoreOptions): Promise<void> => {
  const around = lookAround(context, poolsFile);
  const used = await usedSpecs(around);
  const engines = (await takeInventory(around.paths)).engines.map(({ files, knownFlags, ...engine }) => ({
    key: engine.key,
    engine: engine.engine,
    version: engine.engineVersion,
    from: engine.from,
    checksum: engine.checksum,
    installed_at: engine.at,
    devices: engine.devices,
    token_ms: engine.tokenMs,
    bytes: engine.bytes,
    files: files.length,
    path: engine.dir,
    used_by: usersOfEngine(used, engine),
  }));
  const columns: readonly Column<(typeof engines)[number]>[] = [
    { head: 'ENGINE', cell: ({ engine }) => engine },
    { head: 'VERSION', cell: ({ version }) => orDash(version) },
    { head: 'SIZE', cell: (each) => bytes(each.bytes) },
    { head: 'AGE', cell: (each) => age(each.installed_at) },
    { head: 'USED BY', cell: (each) => orDash(each.used_by.join(',')) },
    { head: 'FROM', cell: ({ from }) => from },
    { head: 'CHECKSUM', cell: ({ checksum }) => checksum.slice(0, 'sha256:'.length + 12) },
  ];
  write(
    context,
    json
      ? engines.map((each) => JSON.stringify(each))
      : engines.length === 0
        ? [`no engines in ${around.paths.root}`]
        : table(engines, columns, false),
  );
};

const removableColumns: readonly Column<Removable>[] = [
  { head: 'WHAT', cell: ({ what }) => what },
  { head: 'SIZE', cell: (each) => bytes(each.bytes) },
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'KEY', cell: ({ key }) => key },
];

/** Without a pools file nothing would be in use, and everything removed. */
export const pruneStore = async (context: CliContext, { poolsFile, json, yes }: StoreOptions & { readonly yes: boolean }): Promise<void> => {
  const around = lookAround(context, poolsFile);
  if (around.pools === null) {
    throw new CliError(
      `${around.poolsFile}: expected a pools file, which says what is in use, found none; POOL_MANAGERD_CONFIG or --pools names it`,
      exitCodes.configuration,
    );
  }
  const unused = await findUnused(around.paths, await usedSpecs(around));
  const done: Removable[] = [];
  for (const each of yes ? unused : []) {
    const gone = await remove(around.paths, each);
    if (gone === null) context.stderr.write(`${printable(each.name)}: stays, somebody is at it\n`);
    else done.push(gone);
  }
  const shown = yes ? done : unused;
  if (json)
    return write(
      context,
      shown.map((each) => JSON.stringify({ ...each, removed: yes })),
    );
  const total = bytes(shown.reduce((sum, each) => sum + each.bytes, 0));
  const last = shown.length === 0 ? 'nothing is unused' : yes ? `${total} freed` : `${total} could be freed; nothing was removed: --yes removes it`;
  write(context, [...(shown.length === 0 ? [] : table(shown, removableColumns, false)), last]);
};
