/** A release of the real llama-server, as they are: the program, its libraries, and a way to find them from wherever it lies. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir } from './engine-process.ts';

export const libraries = 'usr/lib/x86_64-linux-gnu';

/** `from`: where `tools/install-llama-server` put it. A tar.gz, with the links that packages have. */
export const releaseOf = async (from: string): Promise<Buffer> => {
  const dir = await temporaryDir();
  mkdirSync(join(dir, 'usr/bin'), { recursive: true });
  cpSync(join(from, 'usr/bin/llama-server'), join(dir, 'usr/bin/llama-server'));
  cpSync(join(from, libraries), join(dir, libraries), { recursive: true, verbatimSymlinks: true });
  const found = `$here/${libraries}`;
  const script = `#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexec "${found}/ld-linux-x86-64.so.2" --library-path "${found}:${found}/llama" "$here/usr/bin/llama-server" "$@"\n`;
  writeFileSync(join(dir, 'llama-server'), script);
  chmodSync(join(dir, 'llama-server'), 0o755);
  return execFileSync('tar', ['-czf', '-', '-C', dir, '.'], { maxBuffer: 512 * 1024 * 1024 });
};
