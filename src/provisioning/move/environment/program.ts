/** How a program of an environment is started, also while the environment does not lie yet where the program's first line says. */
import { constants } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Null: by itself; else by this interpreter of its own, from the environment on. */
interface Start {
  readonly python: string | null;
}

const headBytes = 4_096;

/** In words: what its first lines name in place of the environment that lies, or will lie, at `environment`. */
export const startOf = async (program: string, environment: string): Promise<Start | string> => {
  const head = await headOf(program);
  if (!head.startsWith('#!')) return { python: null };
  // A path that is too long for a first line is in the second, behind one of /bin/sh.
  const [first = '', second = ''] = head.split('\n');
  const [, named = ''] = `${first}\n${second}`.split(`${environment}/`);
  const python = /^bin\/python[\d.]*t?(?=["'\s]|$)/.exec(named)?.[0];
  return python === undefined ? `a program that begins with ${JSON.stringify(first.slice(0, 200))}` : { python };
};

const headOf = async (file: string): Promise<string> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await handle.close();
  }
};

export interface Beside {
  /** Folder with the environment in it; the stand-in lies beside that while it is needed. */
  readonly dir: string;
  /** Where the environment is now. */
  readonly environment: string;
  /** From the environment on. */
  readonly program: string;
}

/** Has `work` start the program where it is now. What it is is not changed by that: Python keeps nothing of what it compiles. */
export const startedBeside = async <T>(
  { dir, environment, program }: Beside,
  { python }: Start,
  work: (executable: string) => Promise<T>,
): Promise<T> => {
  const own = join(environment, program);
  const stand = join(dir, basename(program));
  const argv = [...(python === null ? [] : [join(environment, python)]), own].map(shellWord).join(' ');
  await writeFile(stand, `#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 exec ${argv} "$@"\n`, { mode: 0o700, flag: 'wx' });
  try {
    return await work(stand);
  } finally {
    await rm(stand, { force: true });
  }
};

const shellWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
