/** Writes docs/security.md: `node tools/write-security.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { securityPage } from './claims/pages.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'security.md'), securityPage());
