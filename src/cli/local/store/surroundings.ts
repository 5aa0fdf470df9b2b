/** The store as the daemon would see it: from the same variables and the same pools file. */
import { existsSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import { loadPools } from '../../../config/pools-file.ts';
import { type Judgement, judgeEnvironment } from '../../../config/read-environment.ts';
import { architecturesOf } from '../../../gpu/architectures.ts';
import { chooseSource, type GpuSourceSetting } from '../../../gpu/choose-source.ts';
import type { PoolSpec } from '../../../machines/vocabulary.ts';
import { openContainers } from '../../../provisioning/container/runtime.ts';
import { hubSettings } from '../../../provisioning/hub/settings.ts';
import { openProvisioning, type Provisioning } from '../../../provisioning/provisioning.ts';
import { type StorePaths, storePaths } from '../../../provisioning/store/paths.ts';
import type { CliContext } from '../../context.ts';
import { CliError, exitCodes } from '../../exit.ts';

export interface StoreAround {
  readonly paths: StorePaths;
  readonly baseDir: string;
  readonly stateDir: string;
  readonly poolsFile: string;
  /** Null: there is no such file, and nobody named one. */
  readonly pools: readonly PoolSpec[] | null;
  readonly provisioning: Provisioning;
  readonly hub: ReturnType<typeof hubSettings>;
  readonly simulated: boolean;
}

const nothingAsked = { ok: true, pools: [] } as const;

/** The variables as the daemon would judge them. `poolsFile`: named on the command line; null: as for the daemon. */
export const judgeAround = ({ env }: Pick<CliContext, 'env'>, poolsFile: string | null): Judgement & { readonly home: string } => {
  const given = poolsFile === null ? env : { ...env, POOL_MANAGERD_CONFIG: resolve(poolsFile) };
  const home = env['HOME'] ?? homedir();
  return { ...judgeEnvironment(given, { hostname: hostname(), home, cwd: process.cwd() }), home };
};

/** `none`: it is not asked what pools there are. */
export const lookAround = ({ env }: CliContext, poolsFile: string | null, pools: 'asked' | 'none' = 'asked'): StoreAround => {
  const { environment, mistakes, home } = judgeAround({ env }, poolsFile);
  const loaded = pools === 'none' ? nothingAsked : loadPools(environment.poolsFile);
  const all = [...mistakes, ...(loaded.ok ? [] : loaded.mistakes)];
  if (!loaded.ok || all.length > 0) throw new CliError(all.join('\n'), exitCodes.configuration);
  const { file } = environment.poolsFile;
  const simulated = environment.gpuSource.kind === 'simulated';
  const [paths, baseDir, hub] = [storePaths(environment.cacheDir), dirname(file), hubSettings(env, home)];
  return {
    paths,
    baseDir,
    stateDir: environment.stateDir,
    poolsFile: file,
    pools: pools === 'asked' && existsSync(file) ? loaded.pools : null,
    provisioning: openProvisioning({
      paths,
      baseDir,
      hub,
      env,
      containers: openContainers({ env }),
      simulated,
      architectures: () => askArchitectures(environment.gpuSource),
    }),
    hub,
    simulated,
  };
};

const readWithinMs = 10_000;

const askArchitectures = async (setting: GpuSourceSetting): Promise<readonly string[]> => {
  if (setting.kind === 'simulated') return [];
  const chosen = chooseSource(setting, { runs: async () => [], isAlive: async () => false });
  if (!chosen.ok) throw new CliError(chosen.mistake, exitCodes.configuration);
  try {
    return architecturesOf(await chosen.source.read(readWithinMs));
  } finally {
    chosen.source.close();
  }
};
