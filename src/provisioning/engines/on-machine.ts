/**
 * An engine that is on the machine already: by the path that the pool names, or by a name on the PATH. Looked at, and not started.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import { adapterFor } from '../../engines/index.ts';
import type { Cause, EngineName } from '../../machines/vocabulary.ts';

export interface WhereEnginesAre {
  /** Folder of the pools file: relative paths begin here. */
  readonly baseDir: string;
  /** The PATH, where bare names are looked for. */
  readonly path: string;
}

/** `executable`: as the pool names it; null: by the usual name of the engine. Throws CauseError `engine_missing`. */
export const findExecutable = (executable: string | null, engine: EngineName, { baseDir, path }: WhereEnginesAre): Promise<string> =>
  executable === null ? onPath(engine, path) : named(executable, baseDir, path);

/** Null: it is a regular file that may be executed. */
export const whyNotExecutable = async (path: string): Promise<string | null> => {
  try {
    if (!(await stat(path)).isFile()) return 'it is no regular file';
    await access(path, constants.X_OK);
    return null;
  } catch (thrown) {
    const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return 'there is no such file';
    if (errno === 'EACCES') return 'it may not be executed by this user';
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
};

export const engineMissing = (path: string, found: string): Cause => ({
  code: 'engine_missing',
  message: `expected an executable at ${path}, found that ${found}; set \`provisioning.executable\``,
  details: { path },
});

/** A bare name is looked for on the PATH, as a shell would. */
const named = async (executable: string, baseDir: string, path: string): Promise<string> => {
  if (!executable.includes('/')) return firstOn(path, [executable]);
  const absolute = resolve(baseDir, executable);
  const problem = await whyNotExecutable(absolute);
  if (problem !== null) throw new CauseError(engineMissing(absolute, problem));
  return absolute;
};

const onPath = (engine: EngineName, path: string): Promise<string> => {
  const { executables } = adapterFor(engine);
  if (executables.length > 0) return firstOn(path, executables);
  throw new CauseError({
    code: 'engine_missing',
    message: `expected \`provisioning.executable\`, since the engine ${engine} has no name to look for on the PATH, found none`,
  });
};

const firstOn = async (path: string, names: readonly string[]): Promise<string> => {
  const dirs = path.split(delimiter).filter(isAbsolute);
  for (const candidate of dirs.flatMap((dir) => names.map((name) => join(dir, name)))) {
    if ((await whyNotExecutable(candidate)) === null) return candidate;
  }
  throw new CauseError({
    code: 'engine_missing',
    message: `expected ${names.join(' or ')} on the PATH (${dirs.join(delimiter)}), found none; install it or set \`provisioning.executable\``,
    details: { names, path: dirs },
  });
};
