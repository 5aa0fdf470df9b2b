/**
 * Makes the stub engine an executable: a two-line script that names this very program, since engines are started with a PATH on
 * which no Node needs to be.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownStubEngine } from '../os/self.ts';

/** Writes `<dir>/llama-server` and returns its path. Writing it again replaces it. */
export const writeStubExecutable = async (dir: string): Promise<string> => {
  const path = join(dir, 'llama-server');
  await mkdir(dir, { recursive: true });
  await writeFile(path, `#!/bin/sh\n# The stub engine of pool-managerd; not llama.cpp.\nexec ${ownStubEngine().map(quote).join(' ')} "$@"\n`);
  await chmod(path, 0o755);
  return path;
};

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
