/**
 * Writes everything that is generated: `npm run generate`. Each `tools/write-*.ts` writes its own files, in `docs/`,
 * `statecharts/` or `examples/` and nowhere else; adding one is adding a file.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';

export const generate = async (): Promise<void> => {
  for (const name of globSync('write-*.ts', { cwd: import.meta.dirname }).sort()) await import(join(import.meta.dirname, name));
};

if (import.meta.main) await generate();
