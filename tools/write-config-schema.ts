/** Writes docs/schemas/pools.schema.json: `node tools/write-config-schema.ts`. A test fails while the file is stale. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { poolsJsonSchemaText } from '../src/config/json-schema.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'schemas');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'pools.schema.json'), poolsJsonSchemaText());
