/**
 * Makes the stub engine an executable: a two-line script that names this very Node, since engines are started with a PATH on
 * which no Node needs to be.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Writes `<dir>/llama-server` and returns its path. Writing it again replaces it. */
export const writeStubExecutable = async (dir: string): Promise<string> => {
  const path = join(dir, 'llama-server');
  const program = fileURLToPath(new URL('./stub-llama-server.ts', import.meta.url));
  await mkdir(dir, { recursive: true });
  await writeFile(path, `#!/bin/sh\n# The stub engine of pool-managerd; not llama.cpp.\nexec ${quote(process.execPath)} ${quote(program)} "$@"\n`);
  await chmod(path, 0o755);
  return path;
};

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
