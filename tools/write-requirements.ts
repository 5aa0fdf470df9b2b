/** Writes docs/requirements.md: `node tools/write-requirements.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requirementsPage } from './claims/pages.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'requirements.md'), requirementsPage());
