/** Writes docs/pool-table.md: `node tools/write-pool-table.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { explore } from './pool-table/explore.ts';
import { poolTable } from './pool-table/table.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'pool-table.md'), poolTable(explore()));
