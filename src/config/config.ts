/** All that the daemon is told at its start: environment, pools file and token, read together so that all mistakes come at once. */
import type { PoolSpec } from '../machines/vocabulary.ts';
import type { Environment } from './environment.ts';
import { createPoolsReader, type PoolsResult } from './pools-file.ts';
import { type Env, judgeEnvironment, type Surroundings } from './read-environment.ts';
import { createTlsSource, type TlsSource } from './tls.ts';
import { createTokenSource, type TokenSource, type TokenSourceOptions } from './token.ts';

export interface Config {
  readonly environment: Environment;
  readonly pools: readonly PoolSpec[];
  /** Reads the pools file again. */
  readonly readPools: () => PoolsResult;
  readonly token: TokenSource;
  readonly tls: TlsSource;
  readonly warnings: readonly string[];
}

export type ConfigResult = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly mistakes: readonly string[] };

export const readConfig = (env: Env, surroundings: Surroundings, options: TokenSourceOptions = {}): ConfigResult => {
  const { environment, bad, mistakes, warnings } = judgeEnvironment(env, surroundings);
  const token = createTokenSource(environment, options);
  const tls = createTlsSource(environment);
  const readPools = createPoolsReader(environment.poolsFile);
  const pools = bad.has('POOL_MANAGERD_CONFIG') ? null : readPools();
  const all = [
    ...mistakes,
    ...tokenMistakes(environment, token, bad),
    ...tlsMistakes(tls, bad),
    ...(pools === null || pools.ok ? [] : pools.mistakes),
  ];
  if (all.length > 0 || pools === null || !pools.ok) return { ok: false, mistakes: all };
  return {
    ok: true,
    config: {
      environment,
      pools: pools.pools,
      readPools,
      token,
      tls,
      warnings: [...warnings, ...token.warnings(), ...tls.warnings(), ...pools.warnings],
    },
  };
};

const tlsMistakes = (source: TlsSource, bad: ReadonlySet<string>): readonly string[] =>
  [...bad].some((name) => name.startsWith('POOL_MANAGERD_TLS_')) ? [] : source.reload();

/** Of a token file; one in the environment is judged with the environment. */
const tokenMistakes = ({ token: { kind } }: Environment, source: TokenSource, bad: ReadonlySet<string>): readonly string[] => {
  const unknown = ['LLORCH_API_TOKEN', 'LLORCH_API_TOKEN_FILE', 'POOL_MANAGERD_BIND_ADDR', 'POOL_MANAGERD_ADDR'].some((name) => bad.has(name));
  return unknown || kind === 'none' || kind === 'value' ? [] : source.reload();
};
