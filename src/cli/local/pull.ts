/**
 * `pull [REFERENCE]`: makes a model present, or all engines and models that the pools file names. What a branch of a hub is, is asked
 * again. Needs no daemon; one that runs finds what is there at the next start of a pool.
 */
import { existsSync } from 'node:fs';
import { CauseError } from '../../cause.ts';
import type { EngineName, PoolSpec } from '../../machines/vocabulary.ts';
import { modelMissing } from '../../provisioning/models/missing.ts';
import type { WantedModel } from '../../provisioning/models/wanted.ts';
import { modelOf } from '../../provisioning/provisioning.ts';
import type { Passenger } from '../../provisioning/store/flights.ts';
import type { CliContext } from '../context.ts';
import { CliError, exitCodes } from '../exit.ts';
import { printable } from '../table.ts';
import { progressBar } from './store/progress-bar.ts';
import { lookAround, type StoreAround } from './store/surroundings.ts';

export interface PullOptions {
  readonly poolsFile: string | null;
  readonly pool: string | null;
  readonly checksum: string | null;
  readonly quant: string | null;
  readonly engine: string | null;
  readonly json: boolean;
}

interface Task {
  readonly what: string;
  readonly kind: 'model' | 'engine';
  run(passenger: Passenger): Promise<string>;
}

export const pull = async (context: CliContext, reference: string | null, options: PullOptions): Promise<void> => {
  const around = lookAround(context, options.poolsFile, reference === null ? 'asked' : 'none');
  const tasks = reference === null ? tasksOfPools(around, options.pool) : [modelTask(around, oneModel(reference, options))];
  const failures: string[] = [];
  for (const task of tasks) {
    const bar = progressBar(context, context.stdout.isTTY === true, task.what);
    try {
      const path = await task.run(bar);
      bar.done();
      context.stdout.write(`${options.json ? JSON.stringify({ kind: task.kind, name: task.what, path }) : printable(path)}\n`);
    } catch (thrown) {
      bar.done();
      if (!(thrown instanceof CauseError)) throw thrown;
      failures.push(`${task.what}: ${thrown.reason.code}: ${thrown.message}`);
    }
  }
  if (failures.length > 0) throw new CliError(failures.join('\n'), exitCodes.failed);
};

const engineNames: readonly EngineName[] = ['llamacpp', 'vllm', 'sglang', 'tgi', 'custom'];

const oneModel = (reference: string, { checksum, quant, engine }: PullOptions): WantedModel => {
  if (checksum !== null && !/^sha256:[0-9a-f]{64}$/.test(checksum))
    throw new CliError(`--checksum: expected sha256: and 64 hexadecimal digits, found "${checksum}"`, exitCodes.usage);
  const named = engineNames.find((name) => name === engine) ?? null;
  if (engine !== null && named === null) throw new CliError(`--engine: expected ${engineNames.join(', ')}, found "${engine}"`, exitCodes.usage);
  return { reference, checksum, quant, engine: named, cacheDir: null, refresh: true };
};

const tasksOfPools = (around: StoreAround, pool: string | null): readonly Task[] => {
  if (around.pools === null) throw new CliError(`${around.poolsFile}: expected a pools file, or a model to pull, found neither`, exitCodes.usage);
  const pools = around.pools.filter(({ id }) => pool === null || id === pool);
  if (pools.length === 0)
    throw new CliError(`${around.poolsFile}: expected ${pool === null ? 'pools' : `a pool ${pool}`}, found none`, exitCodes.failed);
  return [
    ...pools.flatMap((spec) => engineTask(around, spec)),
    ...pools.flatMap((spec) => modelOf(spec, true) ?? []).map((wanted) => modelTask(around, wanted)),
  ];
};

const modelTask = (around: StoreAround, wanted: WantedModel): Task => ({
  what: wanted.reference,
  kind: 'model',
  run: async (passenger) => {
    const path = await around.provisioning.findModel(wanted, passenger);
    // A path is taken as it is named, by the daemon too, which looks when it starts an engine.
    if (!existsSync(path)) throw new CauseError(modelMissing(path, 'nothing there'));
    return path;
  },
});

const engineTask = (around: StoreAround, spec: PoolSpec): readonly Task[] => {
  const work = around.provisioning.engineOf(spec);
  return work === null ? [] : [{ what: work.what, kind: 'engine', run: async (passenger) => (await work.run(passenger)).executable }];
};
