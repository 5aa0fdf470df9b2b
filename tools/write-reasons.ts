/** Writes docs/reasons.md: `node tools/write-reasons.ts`. A test fails while the file is stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reasonsPage } from './reasons/page.ts';

writeFileSync(join(import.meta.dirname, '..', 'docs', 'reasons.md'), reasonsPage());
