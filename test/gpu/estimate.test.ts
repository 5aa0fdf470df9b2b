/** What a header says, and what becomes of it: parts of an estimate, for each engine. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimate, estimateNeedBytes } from '../../src/gpu/estimate/estimate.ts';
import { overheadBytesOf } from '../../src/gpu/estimate/overhead.ts';
import { readShape } from '../../src/gpu/estimate/read-shape.ts';
import { vramShare } from '../../src/gpu/estimate/share.ts';
import type { ModelPresent, ModelShape, PoolSpec } from '../../src/machines/vocabulary.ts';
import { type GgufFile, type Value, writeGguf } from '../kit/gguf-writer.ts';
import { gib, gpuSpec } from '../kit/gpu-facts.ts';

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'estimate-'));
});
afterAll(() => rm(dir, { recursive: true }));

const written = async (name: string, file: Partial<GgufFile>): Promise<string> => {
  const path = join(dir, name);
  await writeGguf(path, { values: {}, tensors: [], ...file });
  return path;
};

const llama = (more: Readonly<Record<string, Value>> = {}): Readonly<Record<string, Value>> => ({
  'general.architecture': { text: 'llama' },
  'llama.block_count': { u32: 4 },
  'llama.embedding_length': { u32: 64 },
  'llama.attention.head_count': { u32: 4 },
  ...more,
});

describe('The header of a GGUF file', () => {
  it('tells the shape, with the sizes of heads and the number of those with keys where it spells neither out', async () => {
    const path = await written('plain.gguf', {
      values: llama({
        'llama.context_length': { u32: 512 },
        'llama.feed_forward_length': { u32: 128 },
        'tokenizer.ggml.tokens': { texts: ['a', 'b', 'c'] },
      }),
      tensors: [
        { name: 'token_embd.weight', shape: [64, 10] },
        { name: 'output.weight', shape: [64, 10], type: 'f16' },
        { name: 'blk.0.attn_q.weight', shape: [64, 64], type: 'q8_0' },
      ],
    });
    expect(await readShape(path)).toEqual({
      format: 'gguf',
      architecture: 'llama',
      tensorBytes: 64 * 10 * 4 + 64 * 10 * 2 + (64 * 64 * 34) / 32,
      hostBytes: 64 * 10 * 4,
      contextLength: 512,
      embedding: 64,
      feedForward: 128,
      vocabulary: 3,
      cache: { full: { k: 4 * 64, v: 4 * 64 }, windowed: { k: 0, v: 0 }, window: null },
    });
  });

  it('may have heads of their own for each layer, some without any cache', async () => {
    const path = await written('layers.gguf', { values: llama({ 'llama.attention.head_count_kv': { u32s: [4, 0, 2, 1] } }) });
    expect((await readShape(path)).cache?.full).toEqual({ k: 7 * 16, v: 7 * 16 });
  });

  it('may say itself which layers have a window; without a word of that, all are cached in full', async () => {
    const window = { 'llama.attention.sliding_window': { u32: 128 } } as const;
    const told = await written('told.gguf', {
      values: llama({ ...window, 'llama.attention.sliding_window_pattern': { bools: [true, true, true, false] } }),
    });
    const untold = await written('untold.gguf', { values: llama(window) });
    expect((await readShape(told)).cache).toEqual({ full: { k: 64, v: 64 }, windowed: { k: 192, v: 192 }, window: 128 });
    expect((await readShape(untold)).cache).toEqual({ full: { k: 256, v: 256 }, windowed: { k: 0, v: 0 }, window: null });
  });

  it('of shards is that of the first, and the tensors are those of all', async () => {
    const tensors = [{ name: 'blk.0.ffn_up.weight', shape: [64, 64] }];
    const first = await written('big-00001-of-00002.gguf', { values: llama(), tensors });
    await written('big-00002-of-00002.gguf', { tensors });
    expect(await readShape(first)).toMatchObject({ architecture: 'llama', tensorBytes: 2 * 64 * 64 * 4 });
  });

  it('with a vocabulary longer than the buffer is read to its end', async () => {
    const texts = Array.from({ length: 20_000 }, (_, index) => `a word of the vocabulary with number ${index}`);
    const path = await written('wordy.gguf', { values: { 'tokenizer.ggml.tokens': { texts }, ...llama() } });
    expect(await readShape(path)).toMatchObject({ vocabulary: 20_000, embedding: 64 });
  });

  it.each([
    ['another file', Buffer.from('GGML and so on, for long enough'), /another beginning/],
    ['an old version', Buffer.from('GGUF\x01\0\0\0'), /version 2 or 3, found 1/],
    ['one that is cut short', Buffer.from('GGUF\x03\0\0\0\x01'), /end of the file/],
    [
      'one that promises more tensors than there can be',
      Buffer.concat([Buffer.from('GGUF\x03\0\0\0'), Buffer.alloc(16, 0xff)]),
      /at most 1000000 tensors/,
    ],
  ])('is refused where it is %s', async (name, bytes, why) => {
    const path = join(dir, `${name.replaceAll(' ', '-')}.gguf`);
    await writeFile(path, bytes);
    await expect(readShape(path)).rejects.toThrow(why);
  });
});

describe('A folder of safetensors', () => {
  const config = {
    architectures: ['LlamaForCausalLM'],
    hidden_size: 64,
    num_hidden_layers: 4,
    num_attention_heads: 8,
    num_key_value_heads: 2,
    vocab_size: 100,
  };

  const folder = async (name: string, files: Readonly<Record<string, number>>, more: object = {}, index?: object): Promise<string> => {
    const path = join(dir, name);
    await mkdir(path);
    for (const [file, bytes] of Object.entries(files)) await writeFile(join(path, file), safetensors(bytes));
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, ...more }));
    if (index !== undefined) await writeFile(join(path, 'model.safetensors.index.json'), JSON.stringify(index));
    return path;
  };
  const safetensors = (bytes: number): Buffer => {
    const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([length, header, Buffer.alloc(bytes)]);
  };

  it('is the sum of the tensors, without headers, and the cache that config.json tells of', async () => {
    expect(await readShape(await folder('one', { 'model.safetensors': 1_000 }))).toMatchObject({
      format: 'safetensors',
      architecture: 'LlamaForCausalLM',
      tensorBytes: 1_000,
      cache: { full: { k: 4 * 2 * 8, v: 4 * 2 * 8 }, window: null },
    });
  });

  it('counts the shards that its index names, and nothing that lies beside them', async () => {
    const path = await folder(
      'shards',
      { 'a.safetensors': 10, 'b.safetensors': 20, 'other.safetensors': 99 },
      {},
      { weight_map: { w: 'a.safetensors', x: 'b.safetensors', y: 'a.safetensors' } },
    );
    expect((await readShape(path)).tensorBytes).toBe(30);
  });

  it('keeps one compressed row where attention is latent, and looks one level down where the model also sees', async () => {
    const latent = await folder('latent', { 'model.safetensors': 1 }, { kv_lora_rank: 512, qk_rope_head_dim: 64 });
    expect((await readShape(latent)).cache?.full).toEqual({ k: 4 * 576, v: 0 });
    const seeing = await folder('seeing', { 'model.safetensors': 1 }, { text_config: { ...config, head_dim: 32 } });
    expect((await readShape(seeing)).cache?.full).toEqual({ k: 4 * 2 * 32, v: 4 * 2 * 32 });
  });

  it('is refused without weights, with one astray, and with a header longer than its file', async () => {
    await expect(readShape(await folder('none', {}))).rejects.toThrow(/\*\.safetensors/);
    await expect(readShape(await folder('astray', { 'a.safetensors': 1 }, {}, { weight_map: { w: '../a.safetensors' } }))).rejects.toThrow(
      /no such file/,
    );
    const broken = await folder('broken', {});
    await writeFile(join(broken, 'model.safetensors'), Buffer.alloc(16, 0xff));
    await expect(readShape(broken)).rejects.toThrow(/longer than the file/);
  });
});

const shape: ModelShape = {
  format: 'gguf',
  architecture: 'llama',
  tensorBytes: 5 * gib,
  hostBytes: gib,
  contextLength: 8_192,
  embedding: 4_096,
  feedForward: 14_336,
  vocabulary: 128_256,
  cache: { full: { k: 32 * 1_024, v: 32 * 1_024 }, windowed: { k: 0, v: 0 }, window: null },
};
const model: ModelPresent = { id: 'm', path: '/m', bytes: 5 * gib, shape };
const parts = (facts: Partial<PoolSpec> = {}, of: ModelPresent = model) => {
  const found = estimate(gpuSpec({ slots: 2, ctx: 4_096, ...facts }), of);
  if (found === null) throw new Error('expected an estimate');
  return found;
};

describe('The estimate', () => {
  it('is weights on the GPU, KV cache, compute buffers and an overhead per GPU', () => {
    const found = parts({ devices: [0, 1] });
    expect(found).toMatchObject({
      weightsBytes: 4 * gib,
      kvCacheBytes: gib,
      overheadBytes: 2 * overheadBytesOf('llamacpp'),
      tokens: 8_192,
      notes: [],
    });
    expect(found.totalBytes).toBe(found.weightsBytes + (found.kvCacheBytes ?? 0) + (found.computeBytes ?? 0) + found.overheadBytes);
  });

  it('of a real 8B model has compute buffers near those that llama-server reports, 258.5 MiB', () => {
    expect((parts({ slots: 1 }).computeBytes ?? 0) / 1024 ** 2).toBeGreaterThan(258);
    expect((parts({ slots: 1 }).computeBytes ?? 0) / 1024 ** 2).toBeLessThan(400);
  });

  it('follows the type of the cache, by the flags of each engine', () => {
    expect(parts({ flags: ['-ctk', 'q8_0', '-ctv', 'q4_0'] }).kvCacheBytes).toBe((gib * (34 + 18)) / 128);
    expect(parts({ engine: 'vllm', flags: ['--kv-cache-dtype', 'fp8'] }).kvCacheBytes).toBe(gib / 2);
    expect(parts({ engine: 'vllm' }).weightsBytes).toBe(5 * gib);
  });

  it('does not guess at a type that it does not know, and says so', () => {
    expect(parts({ flags: ['-ctk', 'q3_k'] })).toMatchObject({ kvCacheBytes: null, notes: [expect.stringContaining('KV cache')] });
  });

  it("takes the model's own context, once, where the spec has none", () => {
    expect(parts({ ctx: null }).tokens).toBe(8_192);
    expect(parts({ ctx: null, slots: 4 }).tokens).toBe(8_192);
  });

  it('says what of the flags it does not count', () => {
    expect(parts({ flags: ['--mmproj', '/p.gguf', '-md', '/d.gguf'] }).notes).toEqual([
      expect.stringContaining('draft'),
      expect.stringContaining('mmproj'),
    ]);
  });

  it('is as before, weights and overhead, where there is no header', () => {
    expect(parts({}, { id: 'm', path: '/m', bytes: gib })).toMatchObject({ kvCacheBytes: null, totalBytes: gib + overheadBytesOf('llamacpp') });
    expect(estimateNeedBytes(gpuSpec(), { id: 'm', path: '/m', bytes: null, shape: null })).toBeNull();
    expect(parts({ engine: 'custom' })).toMatchObject({ weightsBytes: 5 * gib, kvCacheBytes: null, notes: [] });
  });
});

describe('The share of one GPU', () => {
  const spec = gpuSpec({ engine: 'vllm', slots: 2, ctx: 4_096, devices: [0, 1] });
  const granted = { reservedBytes: 20 * gib, gpuCount: 2, totalBytes: 24 * gib };

  it('is an even part of what was granted, with what an engine must leave of it', () => {
    expect(vramShare(spec, model, granted)).toEqual({
      grantedBytes: 10 * gib,
      overheadBytes: overheadBytesOf('vllm'),
      computeBytes: expect.any(Number),
      totalBytes: 24 * gib,
    });
  });

  it('is not known where grant, card or header are not', () => {
    expect(vramShare(spec, model, { ...granted, reservedBytes: null })).toBeNull();
    expect(vramShare(spec, model, { ...granted, totalBytes: null })).toBeNull();
    expect(vramShare(spec, { ...model, shape: null }, granted)).toBeNull();
    expect(vramShare(spec, { ...model, shape: { ...shape, cache: null } }, granted)).toBeNull();
  });
});
