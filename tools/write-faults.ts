/** Writes docs/faults.md: `node tools/write-faults.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultsPage } from './claims/pages.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'faults.md'), faultsPage());
