/** The certificates of `test/fixtures/tls`, made by `make` there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const certificatePath = (name: string): string => join(import.meta.dirname, '../fixtures/tls', name);

export const pem = (name: string): string => readFileSync(certificatePath(name), 'utf8');
