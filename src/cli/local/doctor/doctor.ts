/**
 * `doctor`: what of this machine would keep the daemon or its engines from working, each with what to do. Asks no daemon and changes
 * nothing; reads the same environment as `serve`.
 *
 * Ends with 1 when something fails.
 */
import { homedir, hostname } from 'node:os';
import { judgeEnvironment } from '../../../config/environment.ts';
import { chooseSource } from '../../../gpu/choose-source.ts';
import type { CliContext } from '../../context.ts';
import { CliError, exitCodes } from '../../exit.ts';
import { type Colour, table } from '../../table.ts';
import { type Check, fail, ok } from './check.ts';
import { gpuChecks } from './gpu-checks.ts';
import { machineChecks } from './machine-checks.ts';

export interface DoctorOptions {
  readonly json: boolean;
  readonly colour: boolean;
  /** For tests. */
  readonly dev?: string;
  readonly proc?: string;
}

export const doctor = async ({ env, stdout }: CliContext, { json, colour, dev, proc = '/proc' }: DoctorOptions): Promise<void> => {
  const { environment, mistakes } = judgeEnvironment(env, { hostname: hostname(), home: homedir(), cwd: process.cwd() });
  const checks = [
    ...mistakes.map((mistake) => fail('environment', mistake, 'correct the variable')),
    ...(await cards({ dev: dev ?? environment.devices, proc, pciDevices: environment.pciDevices }, environment.gpuSource, env)),
    ...(await machineChecks(environment, proc)),
  ];
  const lines = json ? [JSON.stringify({ checks }, null, 2)] : table(checks, columns, colour);
  for (const line of lines) stdout.write(`${line}\n`);
  const failed = checks.filter(({ verdict }) => verdict === 'fail').length;
  if (failed > 0) throw new CliError(`${failed} of ${checks.length} checks failed`, exitCodes.failed);
};

const cards = async (
  places: Parameters<typeof gpuChecks>[1],
  setting: Parameters<typeof chooseSource>[0],
  env: CliContext['env'],
): Promise<readonly Check[]> => {
  if (setting.kind === 'simulated') return [ok('GPUs', `${setting.cards.length} simulated, by POOL_MANAGERD_GPU_SOURCE: nothing of them is checked`)];
  const chosen = chooseSource(setting, { runs: async () => [], isAlive: () => false, nvidiaSmi: { env } });
  if (!chosen.ok) return [fail('GPUs', 'no source of facts', chosen.mistake)];
  try {
    return await gpuChecks(chosen.source, places);
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
