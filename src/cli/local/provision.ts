/**
 * `provision --export` and `--import`: what pools need, from a machine with a network to one without. Needs no daemon; one that runs finds
 * what is there at the next start of a pool.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import type { PoolSpec } from '../../machines/vocabulary.ts';
import { collect } from '../../provisioning/move/collect.ts';
import { fingerprintOf, manifestText } from '../../provisioning/move/manifest.ts';
import { takeIn } from '../../provisioning/move/take-in.ts';
import { writeOut } from '../../provisioning/move/write-out.ts';
import { modelOf } from '../../provisioning/provisioning.ts';
import { createSelfTest } from '../../provisioning/self-test/self-test.ts';
import { type Inventory, takeInventory } from '../../provisioning/upkeep/inventory.ts';
import { type Used, usersOfEngine, usersOfModel } from '../../provisioning/upkeep/usage.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';
import { bytes } from '../words.ts';
import { progressBar } from './store/progress-bar.ts';
import { lookAround, type StoreAround } from './store/surroundings.ts';

export interface ExportOptions {
  readonly poolsFile: string | null;
  /** All that the store holds, whoever uses it. */
  readonly all: boolean;
  readonly json: boolean;
}

export interface ImportOptions {
  readonly poolsFile: string | null;
  /** What the export said. */
  readonly expected: string | null;
  readonly json: boolean;
}

type Left = { readonly name: string; readonly why: string };

export const exportStore = async (context: CliContext, to: string, { poolsFile, all, json }: ExportOptions): Promise<void> => {
  const around = lookAround(context, poolsFile, all ? 'none' : 'asked');
  const { engines, models, missing } = await chosen(around, all);
  const collected = await collect({ paths: around.paths, engines, models }).catch(told);
  const { manifest, pieces } = collected;
  const leftOut = [...missing, ...collected.leftOut];
  const size = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  if (pieces.length > 0) {
    const bar = progressBar(context, context.stdout.isTTY === true, to);
    const form = to.endsWith('/') || (await isFolder(to)) ? 'folder' : 'file';
    await writeOut(collected, { to: resolve(to), form }, bar.report, bar.signal)
      .catch(told)
      .finally(bar.done);
    const fingerprint = fingerprintOf(manifestText(manifest));
    const facts = { path: resolve(to), engines: manifest.engines.length, models: manifest.models.length, bytes: size, digest: fingerprint };
    const words = `${facts.path}: ${facts.engines} engines and ${facts.models} models, ${bytes(size)}\nimport it by: pool-managerd provision --import ${to} --expect ${fingerprint}`;
    context.stdout.write(`${json ? JSON.stringify(facts) : words.split('\n').map(printable).join('\n')}\n`);
  }
  if (leftOut.length === 0 && pieces.length > 0) return;
  const lines = leftOut.map(({ name, why }) => `${name}: not exported: ${why}`);
  throw new CliError(lines.length === 0 ? `${around.paths.root}: nothing to export` : lines.join('\n'), exitCodes.failed);
};

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

interface Chosen extends Pick<Inventory, 'engines' | 'models'> {
  readonly missing: readonly Left[];
}

/** What the pools of the file need, and what of that is not there. */
const chosen = async (around: StoreAround, all: boolean): Promise<Chosen> => {
  const { engines, models } = await takeInventory(around.paths);
  if (all) return { engines, models, missing: [] };
  const { pools } = around;
  if (pools === null) {
    throw new CliError(`${around.poolsFile}: expected a pools file, which says what is needed, or --all, found neither`, exitCodes.configuration);
  }
  const used = pools.map((spec): Used => ({ spec, modelPath: null }));
  const inUse = {
    engines: engines.filter((engine) => usersOfEngine(used, engine).length > 0),
    models: models.filter((model) => usersOfModel(used, model).length > 0),
  };
  return { ...inUse, missing: pools.flatMap((spec) => missingOf(spec, inUse)) };
};

const missingOf = (spec: PoolSpec, { engines, models }: Pick<Inventory, 'engines' | 'models'>): readonly Left[] => {
  const one: readonly Used[] = [{ spec, modelPath: null }];
  const reference = modelOf(spec, false)?.reference ?? null;
  const why = 'it is not in the store; `pool-managerd pull` fetches it';
  const isFetched = reference !== null && /^(?:https?|hf):/i.test(reference);
  return [
    ...(spec.provisioning.mode === 'external' || engines.some((each) => usersOfEngine(one, each).length > 0)
      ? []
      : [{ name: `the engine of ${spec.id}`, why }]),
    ...(!isFetched || models.some((each) => usersOfModel(one, each).length > 0) ? [] : [{ name: reference, why }]),
  ];
};

export const importStore = async (context: CliContext, from: string, { poolsFile, expected, json }: ImportOptions): Promise<void> => {
  if (expected !== null && !/^sha256:[0-9a-f]{64}$/.test(expected))
    throw new CliError(`--expect: expected sha256: and 64 hexadecimal digits, found "${expected}"`, exitCodes.usage);
  const { paths, hub, simulated } = lookAround(context, poolsFile, 'none');
  const bar = progressBar(context, context.stdout.isTTY === true, from);
  const deps = { paths, hubDir: hub.cacheDir ?? paths.hub, simulated, selfTest: createSelfTest({ simulated }), expected };
  const taken = await takeIn(resolve(from), deps, bar).catch(told).finally(bar.done);
  for (const { what, key, name, bytes: size, problem } of taken) {
    if (problem === null)
      context.stdout.write(`${json ? JSON.stringify({ kind: what, key, name, bytes: size }) : printable(`${what} ${name}, ${bytes(size)}`)}\n`);
  }
  const problems = taken.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem.code}: ${problem.message}`]));
  if (problems.length > 0) throw new CliError(problems.join('\n'), exitCodes.failed);
};

const told = (thrown: unknown): never => {
  if (thrown instanceof CauseError) throw new CliError(`${thrown.reason.code}: ${thrown.message}`, exitCodes.failed);
  throw thrown;
};
