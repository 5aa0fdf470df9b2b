/**
 * A folder that is on the machine already must not bring weights that are programs: a pickle runs what is in it when it is read.
 * Engines that read folders take safetensors where there are any, so one without them is refused. What a folder is called or holds
 * besides is not looked at; whether there is one at all is asked later.
 */
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { CauseError } from '../../cause.ts';
import type { EngineName } from '../../machines/vocabulary.ts';

/** They fall back to pickles by themselves. */
const readFolders: ReadonlySet<EngineName> = new Set(['vllm', 'sglang', 'tgi']);
const pickles = /\.(?:bin|pt|pth|ckpt|pkl|pickle)$/;
/** No model has as many files; what is behind them is not looked at, as no engine would get that far. */
const mostEntries = 10_000;

export const refusePickles = async (path: string, engine: EngineName | null): Promise<void> => {
  if (engine === null || !readFolders.has(engine)) return;
  const names = await namesIn(path);
  const found = names.find((name) => pickles.test(name));
  if (found === undefined || names.some((name) => name.endsWith('.safetensors'))) return;
  throw new CauseError({
    code: 'model_incompatible',
    message: `expected safetensors in ${path}, found ${found} and none of them; weights of that form run code when they are read: convert them`,
    details: { path, found: join(path, found) },
  });
};

const namesIn = async (path: string): Promise<readonly string[]> => {
  const dir = await opendir(path).catch(() => null);
  const names: string[] = [];
  if (dir === null) return names;
  for await (const { name } of dir) {
    names.push(name);
    if (names.length === mostEntries) break;
  }
  return names;
};
