/** Says which generated files were not as the code makes them: `npm run check:drift`. Afterwards they are; exit 1 if any was not. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from './generate.ts';

const root = join(import.meta.dirname, '..');

const contents = (): Map<string, string> =>
  new Map(
    globSync('{docs,statecharts,examples}/**/*', { cwd: root, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file, 'utf8')]),
  );

const before = contents();
await generate();
const stale = [...contents()].filter(([file, text]) => before.get(file) !== text).map(([file]) => file);
for (const file of stale) console.error(`stale: ${file.slice(root.length + 1)} was not as the code makes it; it is now, commit it`);
if (stale.length === 0) console.log('everything generated is as the code makes it');
process.exitCode = stale.length === 0 ? 0 : 1;
