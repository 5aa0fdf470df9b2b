/** Writes docs/openapi.json from the routes and schemas. A test fails when the file is stale. */
import { writeFile } from 'node:fs/promises';
import { openapiText } from '../test/kit/openapi-text.ts';

const file = new URL('../docs/openapi.json', import.meta.url);
await writeFile(file, await openapiText());
console.log(`${file.pathname} written`);
