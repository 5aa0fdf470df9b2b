/** Where a real llama-server and its tiny model are on this machine; null: not here, and what needs them is skipped. */
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const onPath = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((dir) => join(dir, 'llama-server'))
  .find((path) => existsSync(path));
const installed = '/opt/llama-server/llama-server';

export const realEngine: string | null = process.env['LLAMA_SERVER'] ?? onPath ?? (existsSync(installed) ? installed : null);

const model = resolve(import.meta.dirname, '../fixtures/models/tiny-random-llama.gguf');

export const tinyModel: string | null = existsSync(model) ? model : null;
