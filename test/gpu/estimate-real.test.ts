/** The estimate beside what the real llama-server says of its own buffers, for models made here. Skipped without a llama-server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { estimate } from '../../src/gpu/estimate/estimate.ts';
import { readShape } from '../../src/gpu/estimate/read-shape.ts';
import { freePorts } from '../kit/free-ports.ts';
import { writeGguf } from '../kit/gguf-writer.ts';
import { gpuSpec, mib } from '../kit/gpu-facts.ts';
import { realEngine } from '../kit/llama-server.ts';
import { type TinyShape, tinyModel } from '../kit/tiny-models.ts';

const plain: TinyShape = {
  architecture: 'llama',
  layers: 4,
  embedding: 128,
  heads: 4,
  headsKv: 4,
  headSize: 32,
  feedForward: 256,
  vocabulary: 1_000,
  contextLength: 2_048,
  tied: false,
  type: 'f32',
};

interface Case {
  readonly name: string;
  readonly shape: TinyShape;
  readonly slots: number;
  readonly ctx: number | null;
  readonly flags?: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'llama, every head with keys of its own', shape: plain, slots: 1, ctx: 1_024 },
  { name: 'llama, one head of keys for eight, four slots', shape: { ...plain, layers: 8, embedding: 256, heads: 8, headsKv: 1 }, slots: 4, ctx: 512 },
  { name: 'llama in f16, wide heads, a context that is no multiple of 256', shape: { ...plain, headSize: 64, type: 'f16' }, slots: 3, ctx: 700 },
  {
    name: 'llama in q8_0, a KV cache in q8_0 and q4_0',
    shape: { ...plain, layers: 6, type: 'q8_0' },
    slots: 2,
    ctx: 2_048,
    flags: ['-fa', 'on', '-ctk', 'q8_0', '-ctv', 'q4_0'],
  },
  {
    name: 'qwen2, its output tied to its embeddings',
    shape: { ...plain, architecture: 'qwen2', layers: 3, heads: 8, headsKv: 2, headSize: 16, tied: true },
    slots: 2,
    ctx: 4_096,
  },
  {
    name: 'qwen2, the context of the model',
    shape: { ...plain, architecture: 'qwen2', layers: 5, headsKv: 2, contextLength: 4_096 },
    slots: 2,
    ctx: null,
  },
  {
    name: 'gemma3, five layers of six with a window',
    shape: { ...plain, architecture: 'gemma3', layers: 12, headsKv: 2, window: 512, tied: true },
    slots: 2,
    ctx: 4_096,
  },
];

describe.skipIf(realEngine === null)('The estimate equals what llama-server reports within 5 %', () => {
  let dir = '';
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'estimate-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it.each(cases)('for $name', async ({ name, shape, slots, ctx, flags = [] }) => {
    const path = join(dir, `${name.replaceAll(/\W+/g, '-')}.gguf`);
    await writeGguf(path, tinyModel(shape));
    const said = await buffersOf(path, [...(ctx === null ? [] : ['-c', String(ctx * slots)]), '-np', String(slots), ...flags]);
    const found = await readShape(path);
    const parts = estimate(gpuSpec({ slots, ctx, flags }), { id: 'tiny', path, bytes: null, shape: found });

    // Without a GPU it keeps the embeddings beside the other weights, once.
    expect(said.model).toBeGreaterThan(0);
    expect(within(found.tensorBytes, said.model)).toBeLessThan(0.05);
    expect(parts?.weightsBytes).toBe(found.tensorBytes - found.hostBytes);
    expect(said.kv).toBeGreaterThan(0);
    expect(within(parts?.kvCacheBytes ?? 0, said.kv)).toBeLessThan(0.05);
  });
});

const within = (estimated: number, said: number): number => Math.abs(estimated - said) / said;

interface Buffers {
  readonly model: number;
  readonly kv: number;
}

const loadDeadlineMs = 20_000;

/** Starts it, reads what it says while it loads, and ends it. */
const buffersOf = async (model: string, argv: readonly string[]): Promise<Buffers> => {
  const engine = execa(
    realEngine ?? '',
    ['-m', model, '--host', '127.0.0.1', '--port', String((await freePorts(1)).first), '-lv', '4', '-fit', 'off', '--no-warmup', ...argv],
    {
      all: true,
      reject: false,
      timeout: loadDeadlineMs,
    },
  );
  const lines: string[] = [];
  for await (const line of engine.iterable({ from: 'all' })) {
    lines.push(line);
    if (/server is listening|model loaded/.test(line)) engine.kill('SIGKILL');
  }
  await engine;
  if (!lines.some((line) => /server is listening|model loaded/.test(line))) throw new Error(lines.slice(-20).join('\n'));
  return { model: bytesIn(lines, 'model'), kv: bytesIn(lines, 'KV') };
};

const bytesIn = (lines: readonly string[], kind: string): number =>
  lines.reduce((sum, line) => sum + Number(new RegExp(`${kind} buffer size =\\s*([\\d.]+) MiB`).exec(line)?.[1] ?? 0) * mib, 0);
