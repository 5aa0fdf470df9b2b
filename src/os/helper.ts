/**
 * How a tool is started that must not outlive the daemon, however that ends: by `setpriv`, which has the kernel kill it when the
 * process that started it ends, and becomes it. Not for engines.
 *
 * Where there is no `setpriv` of util-linux the tool is started as it is. Its own children are not its business.
 */
import { accessSync, constants, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Command {
  readonly file: string;
  readonly argv: readonly string[];
}

/** `path`: the PATH that the tool is looked for in. One that is not there is left for `spawn` to miss. */
export const helper = (executable: string, argv: readonly string[], path = process.env['PATH'] ?? ''): Command => {
  const setpriv = findSetpriv();
  const found = setpriv === null ? null : find(executable, path);
  if (setpriv === null || found === null) return { file: executable, argv };
  return { file: setpriv, argv: ['--pdeathsig', 'KILL', '--', found, ...argv] };
};

let known: string | null | undefined;

/** That of BusyBox does not know what is asked of it. */
const findSetpriv = (): string | null => {
  if (known === undefined)
    known = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => isExecutable(file) && basename(realpathSync(file)) === 'setpriv') ?? null;
  return known;
};

const find = (executable: string, path: string): string | null => {
  const candidates = executable.includes('/') ? [executable] : path.split(':').map((dir) => join(dir === '' ? '.' : dir, executable));
  return candidates.find(isExecutable) ?? null;
};

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
