/** The pools file as `serve` would find it, and what a person wants to know of its pools before starting them. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isCause } from '../../../../cause.ts';
import { loadPools } from '../../../../config/pools-file.ts';
import type { Judgement } from '../../../../config/read-environment.ts';
import { architecturesOf } from '../../../../gpu/architectures.ts';
import type { Cause, Inventory } from '../../../../machines/vocabulary.ts';
import { hubSettings } from '../../../../provisioning/hub/settings.ts';
import { storePaths } from '../../../../provisioning/store/paths.ts';
import type { CliContext } from '../../../context.ts';
import { type Check, fail, ok, unknown, warn } from '../check.ts';
import type { PoolsAround } from './around.ts';
import { claimsOf } from './claims.ts';
import { poolChecks } from './pool-checks.ts';
import { type Examined, rowsOf } from './rows.ts';

/** `seen`: what there is of cards; a Cause: why that is not known. */
export const poolsChecks = async (
  { environment, bad }: Judgement,
  { env, home, seen }: { readonly env: CliContext['env']; readonly home: string; readonly seen: Inventory | Cause },
): Promise<readonly Check[]> => {
  if (bad.has('POOL_MANAGERD_CONFIG')) return [unknown('pools file', 'POOL_MANAGERD_CONFIG names none, as said above')];
  const { file } = environment.poolsFile;
  const loaded = loadPools(environment.poolsFile);
  if (!loaded.ok) return loaded.mistakes.map((mistake) => fail('pools file', mistake, existsSync(file) ? toCorrect(file) : toBegin));
  if (loaded.pools.length === 0) return loaded.warnings.map((warning) => warn('pools file', warning, toBegin));
  const around: PoolsAround = {
    paths: storePaths(environment.cacheDir),
    baseDir: dirname(file),
    simulated: environment.gpuSource.kind === 'simulated',
    architectures: environment.gpuSource.kind === 'simulated' ? [] : architecturesOf(seen),
    hub: hubSettings(env, home),
    path: env['PATH'] ?? '',
    claims: claimsOf(environment, loaded.pools),
    launcher: environment.launcher,
    inventory: isCause(seen) ? null : seen,
  };
  const examined: Examined[] = [];
  // One after the other: a thousand pools at once would open more files than a process may.
  for (const spec of loaded.pools) examined.push({ id: spec.id, checks: await poolChecks(spec, around) });
  return [ok('pools file', `${file}: ${loaded.pools.length} pool${loaded.pools.length === 1 ? '' : 's'}`), ...notListed(around), ...rowsOf(examined)];
};

const toBegin = 'pool-managerd config example > pools.yaml writes one to begin with; --pools FILE looks at one that is elsewhere';
const toCorrect = (file: string): string => `correct it; pool-managerd config check ${file} looks again`;

/** Once, instead of for each pool. */
const notListed = ({ inventory }: PoolsAround): readonly Check[] =>
  inventory === null
    ? [unknown('GPUs of the pools', 'no GPU can be listed, see driver: whether those that the pools name are there is not known')]
    : [];
