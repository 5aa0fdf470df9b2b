/** Which engine the demo runs: a real llama-server where there is one and a model for it, else the stub. Looks, starts nothing. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DemoOptions } from './options.ts';

export type DemoEngine = { readonly kind: 'stub' } | { readonly kind: 'llama-server'; readonly executable: string; readonly model: string };

export type EngineChoice = { readonly ok: true; readonly engine: DemoEngine } | { readonly ok: false; readonly problem: string };

export interface Surroundings {
  readonly path: string;
  /** The model used where none is named; it need not exist. */
  readonly usualModel: string;
}

export const surroundings = (): Surroundings => ({
  path: process.env['PATH'] ?? '',
  usualModel: fileURLToPath(new URL('../../test/fixtures/models/tiny-random-llama.gguf', import.meta.url)),
});

export const chooseEngine = (
  { llamaServer, model }: Pick<DemoOptions, 'llamaServer' | 'model'>,
  { path, usualModel }: Surroundings,
): EngineChoice => {
  if (llamaServer !== null && !isExecutable(llamaServer)) return refuse(`--llama-server: expected an executable file, found none at ${llamaServer}`);
  if (model !== null && !isReadable(model)) return refuse(`--model: expected a readable file, found none at ${model}`);
  const executable = llamaServer ?? onPath(path);
  if (executable === null && model !== null)
    return refuse('--model: there is no llama-server on the PATH to load it; name one with --llama-server PATH');
  const found = model ?? (isReadable(usualModel) ? usualModel : null);
  if (llamaServer !== null && found === null) return refuse('--llama-server needs a model; name one with --model FILE');
  if (executable === null || found === null) return { ok: true, engine: { kind: 'stub' } };
  return { ok: true, engine: { kind: 'llama-server', executable: resolve(executable), model: resolve(found) } };
};

/** For people: what answers, and how to get something else. */
export const engineText = (engine: DemoEngine): string =>
  engine.kind === 'stub'
    ? 'stub engine: no llama-server with a model was found, so no model runs and what the engines say is made up (--llama-server PATH --model FILE)'
    : `real engines: ${engine.executable} with ${engine.model}`;

const refuse = (problem: string): EngineChoice => ({ ok: false, problem });

const onPath = (path: string): string | null =>
  path
    .split(delimiter)
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, 'llama-server'))
    .find(isExecutable) ?? null;

const isExecutable = (file: string): boolean => isFileWith(file, constants.X_OK);
const isReadable = (file: string): boolean => isFileWith(file, constants.R_OK);

const isFileWith = (file: string, mode: number): boolean => {
  try {
    accessSync(file, mode);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};
