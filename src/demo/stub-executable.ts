/**
 * Makes the stub engine an executable: a script that names this very program, since engines are started with a PATH on which no
 * Node needs to be. What the stub says of itself the script says, as starting Node for it would take longer than a real engine.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownStubEngine } from '../os/self.ts';
import { helpText } from './stub-engine/arguments.ts';

const version = 'version: 0.0.0-stub (a stub engine of pool-managerd, not llama.cpp)\n';

/** Writes `<dir>/llama-server` and returns its path. Writing it again replaces it. `program`: what the stub is. */
export const writeStubExecutable = async (dir: string, program: readonly string[] = ownStubEngine()): Promise<string> => {
  const path = join(dir, 'llama-server');
  await mkdir(dir, { recursive: true });
  await writeFile(path, script(program));
  await chmod(path, 0o755);
  return path;
};

const script = (program: readonly string[]): string => `#!/bin/sh
# The stub engine of pool-managerd; not llama.cpp.
case $1 in
--version) printf %s ${quote(version)} ;;
--help) printf %s ${quote(helpText)} ;;
*) exec ${program.map(quote).join(' ')} "$@" ;;
esac
`;

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
