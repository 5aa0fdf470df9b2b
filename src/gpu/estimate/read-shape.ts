/** Reads what decides the memory of a model on disk: a GGUF file, all shards of one, or a folder of safetensors. Headers only. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ModelShape } from '../../machines/vocabulary.ts';
import { type GgufHeader, readGgufHeader } from './gguf-header.ts';
import { ggufShape } from './gguf-shape.ts';
import { readSafetensorsShape } from './safetensors-shape.ts';

/** Rejects with an Error that says what was expected and found. */
export const readShape = async (path: string): Promise<ModelShape> => {
  if ((await stat(path)).isDirectory()) return readSafetensorsShape(path);
  const headers: GgufHeader[] = [];
  for (const file of shardsOf(path)) headers.push(await readGgufHeader(file));
  return ggufShape(headers);
};

/** `name-00001-of-00003.gguf` stands for all of its shards. */
const shard = /^(.*-)\d{5}-of-(\d{5})(\.gguf)$/i;
const mostShards = 1_000;

export const shardsOf = (path: string): readonly string[] => {
  const [, before, count, after] = shard.exec(basename(path)) ?? [];
  if (count === undefined || Number(count) > mostShards) return [path];
  return Array.from({ length: Number(count) }, (_, index) =>
    join(dirname(path), `${before}${String(index + 1).padStart(5, '0')}-of-${count}${after}`),
  );
};
