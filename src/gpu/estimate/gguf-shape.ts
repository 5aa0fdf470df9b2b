/**
 * GGUF metadata as what decides memory: per-layer lists, defaults and sliding windows as llama.cpp reads them. Pure.
 *
 * Source: llama.cpp, llama-hparams.cpp and llama-model.cpp. What a header does not tell is null and is not guessed.
 */
import type { CacheShape, ModelShape } from '../../machines/vocabulary.ts';
import type { GgufHeader, GgufTensor, GgufValue } from './gguf-header.ts';

/** `headers`: of all shards, the first one with the metadata. */
export const ggufShape = (headers: readonly GgufHeader[]): ModelShape => {
  const [first] = headers;
  const values = first?.values ?? new Map<string, GgufValue>();
  const tensors = headers.flatMap((header) => header.tensors);
  const named = values.get('general.architecture');
  const architecture = typeof named === 'string' ? named : null;
  const own = (key: string): GgufValue | undefined => values.get(`${architecture}.${key}`);
  return {
    format: 'gguf',
    architecture,
    tensorBytes: sum(tensors.map(({ bytes }) => bytes)),
    hostBytes: hostBytes(tensors),
    contextLength: number(own('context_length')),
    embedding: number(own('embedding_length')),
    feedForward: most(own('feed_forward_length')),
    vocabulary: first?.lengths.get('tokenizer.ggml.tokens') ?? number(own('vocab_size')),
    cache: cacheOf(architecture, own),
  };
};

/** llama.cpp looks token embeddings up on the host, unless they are its output weights too: then a GPU has a copy. */
const hostBytes = (tensors: readonly GgufTensor[]): number => {
  const bytesOf = (name: string): number => tensors.find((tensor) => tensor.name === name)?.bytes ?? 0;
  const tied = !tensors.some(({ name }) => name === 'output.weight');
  return (tied ? 0 : bytesOf('token_embd.weight')) + bytesOf('per_layer_token_embd.weight');
};

type Own = (key: string) => GgufValue | undefined;

const mostLayers = 4_096;

const cacheOf = (architecture: string | null, own: Own): CacheShape | null => {
  const layers = number(own('block_count'));
  const embedding = number(own('embedding_length'));
  const heads = own('attention.head_count');
  if (layers === null || layers > mostLayers || embedding === null || heads === undefined) return null;
  const window = windowOf(architecture, own, layers);
  const full = { k: 0, v: 0 };
  const windowed = { k: 0, v: 0 };
  for (let layer = 0; layer < layers; layer += 1) {
    const headCount = at(heads, layer);
    const cached = at(own('attention.head_count_kv'), layer) ?? headCount;
    if (headCount === null || cached === null) return null;
    const headSize = headCount === 0 ? 0 : embedding / headCount;
    const kind = window?.layers[layer] === true ? windowed : full;
    kind.k += cached * (number(own('attention.key_length')) ?? headSize);
    kind.v += cached * (number(own('attention.value_length')) ?? headSize);
  }
  return { full, windowed, window: window?.tokens ?? null };
};

/** Of each group of so many layers the last one looks at everything: what llama.cpp knows of architectures without the key. */
const layersPerGroup: Readonly<Record<string, number>> = { gemma2: 2, gemma3: 6, gemma3n: 5, cohere2: 4, 'gpt-oss': 2, smallthinker: 4, exaone4: 4 };

/** Null: every layer is cached in full, which is also the safe side. */
const windowOf = (architecture: string | null, own: Own, layers: number): { readonly tokens: number; readonly layers: readonly boolean[] } | null => {
  const tokens = number(own('attention.sliding_window'));
  if (tokens === null || tokens === 0) return null;
  const pattern = own('attention.sliding_window_pattern');
  if (Array.isArray(pattern)) return { tokens, layers: pattern.map(Boolean) };
  const group = number(pattern) ?? layersPerGroup[architecture ?? ''] ?? null;
  if (group === null || group === 0) return null;
  return { tokens, layers: Array.from({ length: layers }, (_, layer) => layer % group < group - 1) };
};

const number = (value: GgufValue | undefined): number | null => {
  const found = typeof value === 'bigint' ? Number(value) : value;
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : null;
};

/** One for all layers, or each its own. */
const at = (value: GgufValue | undefined, layer: number): number | null =>
  Array.isArray(value) ? number(value[layer] as GgufValue | undefined) : number(value);

const most = (value: GgufValue | undefined): number | null =>
  Array.isArray(value) ? value.reduce<number | null>((found, _, layer) => larger(found, at(value, layer)), null) : number(value);

const larger = (a: number | null, b: number | null): number | null => (a === null || b === null ? (a ?? b) : Math.max(a, b));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
