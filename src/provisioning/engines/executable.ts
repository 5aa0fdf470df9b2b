/** Which file of an installation is the engine. Pure. */
import { basename } from 'node:path';
import { CauseError } from '../../cause.ts';
import type { StagedFile } from '../archive/stage.ts';

/** `named`: as the pools file says; null: by its usual name, nearest to the top. */
export const executableIn = (files: readonly StagedFile[], named: string | null, usual: readonly string[]): string => {
  const fitting = files.filter(({ path }) => (named === null ? usual.includes(basename(path)) : path === named.replace(/^\.\//, '')));
  const able = fitting.filter(({ isExecutable }) => isExecutable);
  const least = Math.min(...able.map(depth));
  const [only, ...more] = able.filter((file) => depth(file) === least);
  if (only !== undefined && more.length === 0) return only.path;
  const expected = named ?? (usual.length === 0 ? '`binary.executable`, since this engine has no usual name' : usual.join(' or '));
  const found =
    only !== undefined
      ? [only, ...more].map(({ path }) => path).join(' and ')
      : fitting.length > 0
        ? `${fitting[0]?.path}, which may not be executed`
        : `none; there is ${files
            .filter(({ isExecutable }) => isExecutable)
            .slice(0, 10)
            .map(({ path }) => path)
            .join(', ')}`;
  throw new CauseError({
    code: 'install_failed',
    message: `expected one ${expected} in the archive, found ${found}; name it in \`provisioning.binary.executable\``,
  });
};

const depth = ({ path }: StagedFile): number => path.split('/').length;
