/** Writes the source map into docs/architecture.md. A test fails while it is stale. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSourceMap } from './source-map.ts';

const page = join(import.meta.dirname, '..', 'docs', 'architecture.md');
writeFileSync(page, withSourceMap(readFileSync(page, 'utf8')));
