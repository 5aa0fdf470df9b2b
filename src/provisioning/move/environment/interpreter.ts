/** The interpreter that an environment was made with, by its own word: `pyvenv.cfg`, and the link beside its programs. */
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { Link } from './links.ts';

export interface Interpreter {
  readonly path: string;
  /** Three numbers. */
  readonly version: string;
}

/** `pythonw`, shells and the like are none. */
export const isInterpreterName = (path: string): boolean => /^python[\d.]*t?$/.test(basename(path));

/** In words: what is not as in an environment that can be carried. */
export const interpreterOf = async (environment: string, links: readonly Link[]): Promise<Interpreter | string> => {
  const said = readConfig(await readFile(join(environment, 'pyvenv.cfg'), 'utf8').catch(() => ''));
  if (typeof said === 'string') return said;
  const targets = new Set(links.filter(({ target }) => isAbsolute(target)).map(({ target }) => target));
  const [path, ...more] = targets;
  if (path === undefined) return 'no link to an interpreter in it';
  if (more.length > 0) return `links that lead out of it, to ${[...targets].slice(0, 3).join(' and ')}, where its interpreter alone may be linked`;
  if (!isInterpreterName(path) || (await real(dirname(path))) !== (await real(said.home)))
    return `a link to ${path}, where its pyvenv.cfg names an interpreter in ${said.home}`;
  return { path, version: said.version };
};

const real = (path: string): Promise<string> => realpath(path).catch(() => path);

/** As `venv` (`version`) and `uv` (`version_info`) write it. Pure. */
export const readConfig = (content: string): { readonly home: string; readonly version: string } | string => {
  const lines = content.split('\n').map((line) => /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line));
  const value = (name: string): string | null => lines.find((line) => line?.[1] === name)?.[2] ?? null;
  const [home, version] = [value('home'), /^\d+\.\d+\.\d+/.exec(value('version') ?? value('version_info') ?? '')?.[0]];
  if (home === null || version === undefined) return 'no pyvenv.cfg in it that names its interpreter and the version of that';
  if (value('include-system-site-packages')?.toLowerCase() === 'true') return 'that it uses packages of the machine, which are not in it';
  return { home, version };
};
