/** Tiny models of chosen shapes as GGUF, in the architectures that llama-server is tried with. */
import type { GgufFile, Tensor, Value } from './gguf-writer.ts';

export interface TinyShape {
  readonly architecture: 'llama' | 'qwen2' | 'gemma3';
  readonly layers: number;
  readonly embedding: number;
  readonly heads: number;
  readonly headsKv: number;
  readonly headSize: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly contextLength: number;
  /** The output weights are the embeddings. */
  readonly tied: boolean;
  /** Of the large tensors. */
  readonly type: 'f32' | 'f16' | 'q8_0';
  /** gemma3: tokens that most layers look back over. */
  readonly window?: number;
}

export const tinyModel = (shape: TinyShape): GgufFile => ({
  values: { ...metadata(shape), ...vocabulary(shape.vocabulary) },
  tensors: tensors(shape),
});

const metadata = (shape: TinyShape): Record<string, Value> => {
  const own: Record<string, Value> = {
    context_length: { u32: shape.contextLength },
    embedding_length: { u32: shape.embedding },
    block_count: { u32: shape.layers },
    feed_forward_length: { u32: shape.feedForward },
    'attention.head_count': { u32: shape.heads },
    'attention.head_count_kv': { u32: shape.headsKv },
    'attention.key_length': { u32: shape.headSize },
    'attention.value_length': { u32: shape.headSize },
    'attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'rope.dimension_count': { u32: shape.headSize },
    ...(shape.window === undefined ? {} : { 'attention.sliding_window': { u32: shape.window } }),
  };
  return {
    'general.architecture': { text: shape.architecture },
    'general.name': { text: 'tiny' },
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${shape.architecture}.${key}`, value])),
  };
};

/** Three words that must be, one for each byte, and names for the rest. */
const vocabulary = (size: number): Record<string, Value> => {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const words = ['<unk>', '<s>', '</s>', ...bytes];
  const rest = Array.from({ length: size - words.length }, (_, index) => `▁w${index}`);
  return {
    'tokenizer.ggml.model': { text: 'llama' },
    'tokenizer.ggml.tokens': { texts: [...words, ...rest] },
    'tokenizer.ggml.scores': { f32s: Array.from({ length: size }, (_, index) => -index) },
    'tokenizer.ggml.token_type': { i32s: [2, 3, 3, ...bytes.map(() => 6), ...rest.map(() => 1)] },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
  };
};

const tensors = (shape: TinyShape): readonly Tensor[] => {
  const { embedding, vocabulary: words, tied, type } = shape;
  return [
    { name: 'token_embd.weight', shape: [embedding, words], type },
    { name: 'output_norm.weight', shape: [embedding] },
    ...(tied ? [] : [{ name: 'output.weight', shape: [embedding, words], type }]),
    ...Array.from({ length: shape.layers }, (_, layer) =>
      layerTensors(shape).map((tensor) => ({ ...tensor, name: `blk.${layer}.${tensor.name}` })),
    ).flat(),
  ];
};

const layerTensors = ({ architecture, embedding, heads, headsKv, headSize, feedForward, type }: TinyShape): readonly Tensor[] => [
  { name: 'attn_norm.weight', shape: [embedding] },
  { name: 'ffn_norm.weight', shape: [embedding] },
  { name: 'attn_q.weight', shape: [embedding, heads * headSize], type },
  { name: 'attn_k.weight', shape: [embedding, headsKv * headSize], type },
  { name: 'attn_v.weight', shape: [embedding, headsKv * headSize], type },
  { name: 'attn_output.weight', shape: [heads * headSize, embedding], type },
  { name: 'ffn_gate.weight', shape: [embedding, feedForward], type },
  { name: 'ffn_up.weight', shape: [embedding, feedForward], type },
  { name: 'ffn_down.weight', shape: [feedForward, embedding], type },
  ...(architecture === 'qwen2' ? biases(heads * headSize, headsKv * headSize) : []),
  ...(architecture === 'gemma3' ? gemmaNorms(embedding, headSize) : []),
];

const biases = (query: number, cached: number): readonly Tensor[] => [
  { name: 'attn_q.bias', shape: [query] },
  { name: 'attn_k.bias', shape: [cached] },
  { name: 'attn_v.bias', shape: [cached] },
];

const gemmaNorms = (embedding: number, headSize: number): readonly Tensor[] => [
  { name: 'attn_q_norm.weight', shape: [headSize] },
  { name: 'attn_k_norm.weight', shape: [headSize] },
  { name: 'post_attention_norm.weight', shape: [embedding] },
  { name: 'post_ffw_norm.weight', shape: [embedding] },
];
