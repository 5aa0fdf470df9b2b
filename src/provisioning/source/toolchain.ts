/** What an engine is built with: git, CMake, a compiler, and the CUDA toolkit unless the GPUs are simulated. Clearly asked for where missing. */
import { access, constants } from 'node:fs/promises';
import { CauseError } from '../../cause.ts';
import { onPath } from '../tool/environment.ts';
import type { Run } from './checkout.ts';

export interface Toolchain {
  readonly git: string;
  readonly cmake: string;
  readonly cxx: string;
  /** Null: the GPUs are simulated, and it is built without CUDA. */
  readonly nvcc: string | null;
}

const usualNvcc = '/usr/local/cuda/bin/nvcc';

export const findToolchain = async (path: string, simulated: boolean): Promise<Toolchain> => {
  const [git, cmake, cxx, nvcc] = await Promise.all([onPath('git', path), onPath('cmake', path), onPath('c++', path), findNvcc(path)]);
  const missing = [git === null && 'git', cmake === null && 'cmake', cxx === null && 'c++', !simulated && nvcc === null && 'nvcc'].filter(
    (name) => name !== false,
  );
  if (git !== null && cmake !== null && cxx !== null && missing.length === 0) return { git, cmake, cxx, nvcc: simulated ? null : nvcc };
  throw new CauseError({
    code: 'build_failed',
    message: `expected git, cmake, c++${simulated ? '' : ' and the CUDA toolkit'} to build with, found no ${missing.join(', no ')} on the PATH (${path})${missing.includes('nvcc') ? ` and none at ${usualNvcc}` : ''}; install ${missing.length === 1 ? 'it' : 'them'}`,
    details: { missing },
  });
};

const findNvcc = async (path: string): Promise<string | null> =>
  (await onPath('nvcc', path)) ??
  access(usualNvcc, constants.X_OK).then(
    () => usualNvcc,
    () => null,
  );

const newestGcc = 20;
const oldestGcc = 8;

/**
 * Compilers for the host that nvcc may be told to use instead of one that it says is too new, the newest first. `said`: its words, as
 * "gcc versions later than 13 are not supported"; null: they are about something else.
 */
export const hostCompilersFor = async (said: string, path: string): Promise<readonly string[] | null> => {
  if (!/unsupported (?:GNU|clang|compiler) version|unsupported host compiler/i.test(said)) return null;
  const newest = Number(/gcc versions later than (\d+)/i.exec(said)?.[1] ?? newestGcc);
  const names = Array.from({ length: Math.max(0, newest - oldestGcc + 1) }, (_, index) => `g++-${newest - index}`);
  return (await Promise.all(names.map((name) => onPath(name, path)))).filter((file) => file !== null);
};

/** A build by other compilers is another build. */
export const compilerOf = async ({ cxx, nvcc }: Toolchain, run: Run): Promise<string> => {
  const said = await Promise.all([cxx, ...(nvcc === null ? [] : [nvcc])].map((compiler) => run(compiler, ['--version'])));
  return said.map(({ stdout }) => stdout.trim()).join('\n');
};
