/**
 * A model as a folder of safetensors: the tensors' bytes by the files' own headers, the KV cache by `config.json`.
 *
 * Source: the format's README (eight bytes with the length of the header, header, tensors), `PretrainedConfig` of transformers.
 * Reads nothing of the tensors. Rejects with an Error where the folder is none.
 */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import type { CacheShape, ModelShape } from '../../machines/vocabulary.ts';

const mostFiles = 10_000;
const mostConfigBytes = 16 * 1024 * 1024;

export const readSafetensorsShape = async (folder: string): Promise<ModelShape> => {
  const files = await weightFiles(folder);
  if (files.length === 0) throw new Error(`expected *.safetensors in ${folder}, found none`);
  let tensorBytes = 0;
  for (const file of files) tensorBytes += await tensorBytesOf(join(folder, file));
  return shapeOf(tensorBytes, v.parse(configSchema, await readJson(join(folder, 'config.json'))));
};

/** Those that the index names; beside them may lie the same weights in another form. */
const weightFiles = async (folder: string): Promise<readonly string[]> => {
  const present = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
  if (!(await exists(join(folder, indexName)))) return present.slice(0, mostFiles);
  const index = v.parse(indexSchema, await readJson(join(folder, indexName)));
  const named = [...new Set(Object.values(index.weight_map))];
  const astray = named.find((name) => basename(name) !== name || !present.includes(name));
  if (astray !== undefined) throw new Error(`expected ${astray} beside ${indexName}, found no such file`);
  return named;
};

const indexName = 'model.safetensors.index.json';
const indexSchema = v.object({ weight_map: v.record(v.string(), v.string()) });

const tensorBytesOf = async (path: string): Promise<number> => {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    const headerBytes = bytesRead === 8 ? Number(buffer.readBigUInt64LE(0)) : Number.POSITIVE_INFINITY;
    if (8 + headerBytes > size) throw new Error(`expected safetensors in ${path}, found a header that is longer than the file`);
    return size - 8 - headerBytes;
  } finally {
    await file.close();
  }
};

const readJson = async (path: string): Promise<unknown> => {
  const { size } = await stat(path);
  if (size > mostConfigBytes) throw new Error(`expected at most ${mostConfigBytes} bytes in ${path}, found ${size}`);
  return JSON.parse(await readFile(path, 'utf8'));
};

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const amount = v.nullish(v.pipe(v.number(), v.finite(), v.minValue(0)));

/** Models that also see or hear have what matters here one level down. */
const textConfig = v.object({
  hidden_size: amount,
  intermediate_size: amount,
  vocab_size: amount,
  max_position_embeddings: amount,
  num_hidden_layers: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4_096))),
  num_attention_heads: amount,
  num_key_value_heads: amount,
  head_dim: amount,
  sliding_window: amount,
  layer_types: v.nullish(v.array(v.string())),
  kv_lora_rank: amount,
  qk_rope_head_dim: amount,
});
const configSchema = v.object({ ...textConfig.entries, architectures: v.nullish(v.array(v.string())), text_config: v.nullish(textConfig) });

type Config = v.InferOutput<typeof configSchema>;
type TextConfig = v.InferOutput<typeof textConfig>;

const shapeOf = (tensorBytes: number, config: Config): ModelShape => {
  const text = config.text_config ?? config;
  return {
    format: 'safetensors',
    architecture: config.architectures?.[0] ?? null,
    tensorBytes,
    hostBytes: 0,
    contextLength: text.max_position_embeddings ?? null,
    embedding: text.hidden_size ?? null,
    feedForward: text.intermediate_size ?? null,
    vocabulary: text.vocab_size ?? null,
    cache: cacheOf(text),
  };
};

const cacheOf = (text: TextConfig): CacheShape | null => {
  const layers = text.num_hidden_layers ?? null;
  const perLayer = numbersPerLayer(text);
  if (layers === null || perLayer === null) return null;
  const window = text.sliding_window ?? null;
  const sliding = window === null ? 0 : (text.layer_types ?? []).filter((type) => type === 'sliding_attention').length;
  const of = (count: number): { readonly k: number; readonly v: number } => ({ k: count * perLayer.k, v: count * perLayer.v });
  return { full: of(layers - sliding), windowed: of(sliding), window: sliding === 0 ? null : window };
};

/** Latent attention keeps one compressed row for keys and values. */
const numbersPerLayer = (text: TextConfig): { readonly k: number; readonly v: number } | null => {
  if (text.kv_lora_rank != null) return { k: text.kv_lora_rank + (text.qk_rope_head_dim ?? 0), v: 0 };
  const heads = text.num_attention_heads ?? null;
  if (heads === null || heads === 0) return null;
  const size = text.head_dim ?? (text.hidden_size == null ? null : text.hidden_size / heads);
  if (size === null) return null;
  const cached = (text.num_key_value_heads ?? heads) * size;
  return { k: cached, v: cached };
};
