/**
 * The environment of an engine, from zero: nothing of the daemon's reaches it. Pure but for the home directory, where CUDA keeps
 * its kernel cache.
 */
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import type { Cause } from '../machines/vocabulary.ts';
import type { LaunchInput } from './adapter.ts';

const path = '/usr/local/bin:/usr/bin:/bin';

export const environmentOf = (
  { spec, gpus, simulated }: Pick<LaunchInput, 'spec' | 'gpus' | 'simulated'>,
  own: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({
  PATH: path,
  HOME: homedir(),
  LANG: 'C.UTF-8',
  ...own,
  ...spec.env,
  ...(simulated ? {} : { CUDA_VISIBLE_DEVICES: gpus.map((gpu) => gpu.uuid).join(','), CUDA_DEVICE_ORDER: 'PCI_BUS_ID' }),
});

/** For engines that start others of their own installation: what lies beside the executable comes first. */
export const pathBeside = (executable: string): string => `${dirname(executable)}:${path}`;

/** Null: none of them is denied. */
export const deniedEnvProblem = (env: Readonly<Record<string, string>>, isDenied: (name: string) => boolean): Cause | null => {
  const variable = Object.keys(env).find(isDenied);
  if (variable === undefined) return null;
  return {
    code: 'invalid_spec',
    message: `env ${variable}: not allowed, it changes where the engine runs or keeps its memory; remove it from \`env\``,
  };
};
