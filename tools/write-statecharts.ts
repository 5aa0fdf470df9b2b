/** Writes `statecharts/` from the machines: `npm run statecharts`. A test fails while a file is stale. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chartFiles } from './statecharts/charts.ts';

const dir = join(import.meta.dirname, '..', 'statecharts');
await mkdir(dir, { recursive: true });
for (const [name, text] of Object.entries(await chartFiles())) await writeFile(join(dir, name), text);
console.log(`statecharts/ written`);
