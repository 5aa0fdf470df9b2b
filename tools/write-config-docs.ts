/** Writes docs/configuration.md and examples/pools.yaml: `node tools/write-config-docs.ts`. A test fails while they are stale. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationDocs } from '../src/config/docs.ts';
import { examplePools } from '../src/config/example.ts';

const root = join(import.meta.dirname, '..');
writeFileSync(join(root, 'docs', 'configuration.md'), configurationDocs());
writeFileSync(join(root, 'examples', 'pools.yaml'), examplePools);
