/** `estimate MODEL` on models made here. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeGguf } from '../kit/gguf-writer.ts';
import { runCommand } from '../kit/run-command.ts';
import { tinyModel } from '../kit/tiny-models.ts';

let dir: string;
let file: string;
let folder: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'estimate-'));
  file = join(dir, 'tiny.gguf');
  await writeGguf(
    file,
    tinyModel({
      architecture: 'llama',
      layers: 4,
      embedding: 128,
      heads: 4,
      headsKv: 2,
      headSize: 32,
      feedForward: 256,
      vocabulary: 1_000,
      contextLength: 2_048,
      tied: false,
      type: 'f32',
    }),
  );
  folder = join(dir, 'model');
  mkdirSync(folder);
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}'), Buffer.alloc(1_000)]));
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 4, vocab_size: 100, max_position_embeddings: 512 }),
  );
});
afterAll(() => rmSync(dir, { recursive: true }));

describe('pool-managerd estimate', () => {
  it('shows the parts of a GGUF file and their sum', async () => {
    const { exitCode, stdout } = await runCommand(['estimate', file, '--ctx', '1024', '--slots', '4', '--devices', '2']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^llama with llamacpp$/m);
    expect(stdout).toMatch(/^weights +2\.\d MiB +500\.0 KiB of embeddings stay on the host$/m);
    // 4 slots × 1024 tokens × 4 layers × 2 heads × 32 × keys and values × 2 bytes.
    expect(stdout).toMatch(/^KV cache +4\.0 MiB +4096 tokens in all slots$/m);
    expect(stdout).toMatch(/^in all +1\.\d GiB +\d+\.\d MiB on each of 2 GPUs$/m);
  });

  it('follows the type of the cache, and answers in JSON', async () => {
    const { stdout } = await runCommand(['estimate', file, '--ctx', '1024', '--cache-type', 'q8_0', '--json']);
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ engine: 'llamacpp', slots: 1, ctx: 1_024, tokens: 1_024, kv_cache_bytes: (1024 * 1024 * 34) / 64, notes: [] });
    expect(answer.total_bytes).toBe(answer.weights_bytes + answer.kv_cache_bytes + answer.compute_bytes + answer.overhead_bytes);
  });

  it('takes a folder of safetensors for one of vLLM, and the context of the model', async () => {
    const { stdout } = await runCommand(['estimate', folder, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ engine: 'vllm', weights_bytes: 1_000, tokens: 512, kv_cache_bytes: 512 * 2 * 64 * 2 * 2 });
  });

  it.each([
    [['--cache-type', 'q3'], 64, 'q8_0'],
    [['--engine', 'custom'], 64, 'sglang'],
    [['--slots', '0'], 64, 'at least 1'],
    [['--ctx', 'many'], 64, 'whole number'],
  ])('refuses %j', async (options, code, why) => {
    const { exitCode, stderr } = await runCommand(['estimate', file, ...options]);
    expect([exitCode, stderr]).toEqual([code, expect.stringContaining(why)]);
  });

  it('ends with 1 where there is no model to read', async () => {
    writeFileSync(join(dir, 'text.gguf'), 'no such thing');
    expect(await runCommand(['estimate', join(dir, 'text.gguf')])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('expected a GGUF file'),
    });
    expect(await runCommand(['estimate', dir])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('safetensors') });
  });
});
