/**
 * `doctor`: what of this machine would keep the daemon, its engines or the pools of its pools file from working, each with what to do.
 * Asks no daemon and no network, and changes nothing; reads the same environment as `serve`.
 *
 * Ends with 1 when something fails.
 */
import type { Environment } from '../../../config/environment.ts';
import { chooseSource } from '../../../gpu/choose-source.ts';
import type { Cause, Inventory } from '../../../machines/vocabulary.ts';
import type { CliContext } from '../../context.ts';
import { CliError, exitCodes } from '../../exit.ts';
import { type Colour, table } from '../../table.ts';
import { judgeAround } from '../store/surroundings.ts';
import { type Check, fail, ok } from './check.ts';
import { gpuChecks } from './gpu-checks.ts';
import { machineChecks } from './machine-checks.ts';
import { poolsChecks } from './pools/pools-checks.ts';

export interface DoctorOptions {
  /** Named on the command line; null: as for the daemon. */
  readonly poolsFile: string | null;
  readonly json: boolean;
  readonly colour: boolean;
  /** For tests. */
  readonly dev?: string;
  readonly proc?: string;
}

export const doctor = async ({ env, stdout }: CliContext, { poolsFile, json, colour, dev, proc = '/proc' }: DoctorOptions): Promise<void> => {
  const { home, ...judgement } = judgeAround({ env }, poolsFile);
  const { environment, mistakes } = judgement;
  const seen = await lookAtCards(environment, env);
  const checks = [
    ...mistakes.map((mistake) => fail('environment', mistake, 'correct the variable')),
    ...(environment.gpuSource.kind === 'simulated'
      ? [ok('GPUs', `${environment.gpuSource.cards.length} simulated, by POOL_MANAGERD_GPU_SOURCE: nothing of them is checked`)]
      : await gpuChecks(seen, { dev: dev ?? environment.devices, proc, pciDevices: environment.pciDevices })),
    ...(await machineChecks(environment, proc)),
    ...(await poolsChecks(judgement, { env, home, seen })),
  ];
  const lines = json ? [JSON.stringify({ checks }, null, 2)] : table(checks, columns, colour);
  for (const line of lines) stdout.write(`${line}\n`);
  const failed = checks.filter(({ verdict }) => verdict === 'fail').length;
  if (failed > 0) throw new CliError(`${failed} of ${checks.length} checks failed`, exitCodes.failed);
};

const readDeadlineMs = 10_000;

/** Once, with a deadline; the driver is asked by its own tool. */
const lookAtCards = async ({ gpuSource }: Environment, env: CliContext['env']): Promise<Inventory | Cause> => {
  const chosen = chooseSource(gpuSource, { runs: async () => [], isAlive: () => false, nvidiaSmi: { env } });
  if (!chosen.ok) return { code: 'gpu_missing', message: chosen.mistake };
  try {
    chosen.source.wantDeep?.();
    return await chosen.source.read(readDeadlineMs);
  } finally {
    chosen.source.close();
  }
};

const colours: Readonly<Record<Check['verdict'], Colour>> = { ok: 'green', warn: 'yellow', fail: 'red', unknown: 'dim' };

const columns = [
  { head: 'CHECK', cell: ({ name }: Check) => name },
  { head: 'VERDICT', cell: ({ verdict }: Check) => verdict, colour: ({ verdict }: Check) => colours[verdict] },
  { head: 'FOUND', cell: ({ found, todo }: Check) => (todo === null ? found : `${found}; to do: ${todo}`) },
];
