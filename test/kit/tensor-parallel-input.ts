/** What an engine that splits layers over GPUs is started with, with only what a test is about spelled out. */
import { isCause } from '../../src/cause.ts';
import type { EngineAdapter, LaunchInput, LaunchPlan } from '../../src/engines/adapter.ts';
import type { Cause, EngineName, ModelShape, PoolSpec } from '../../src/machines/vocabulary.ts';
import { gib, gpuSpec } from './gpu-facts.ts';

const shape: ModelShape = {
  format: 'safetensors',
  architecture: 'LlamaForCausalLM',
  tensorBytes: 6 * gib,
  hostBytes: 0,
  contextLength: 8_192,
  embedding: 4_096,
  feedForward: 14_336,
  vocabulary: 128_256,
  cache: { full: { k: 32 * 1_024, v: 32 * 1_024 }, windowed: { k: 0, v: 0 }, window: null },
};

/** 12 GiB of each of its cards with 24 GiB, of which 2 lie outside of weights, KV cache and activations, and 1 is activations. */
export const startOf =
  (engine: EngineName, executable: string) =>
  (facts: Partial<PoolSpec> = {}, more: Partial<LaunchInput> = {}): LaunchInput => ({
    spec: gpuSpec({ engine, slots: 4, ctx: 2_048, ...facts }),
    engine: { executable, version: null, knownFlags: null },
    model: { id: 'llama-8b', path: '/models/llama-8b', bytes: 6 * gib, shape },
    gpus: [{ index: 3, uuid: 'GPU-aaa' }],
    simulated: false,
    port: 18_080,
    vram: { grantedBytes: 12 * gib, overheadBytes: 2 * gib, computeBytes: gib, totalBytes: 24 * gib },
    ...more,
  });

export const planned = (plan: EngineAdapter['plan'], input: LaunchInput): LaunchPlan => {
  const made = plan(input);
  if (isCause(made)) throw new Error(made.message);
  return made;
};

export const refused = (plan: EngineAdapter['plan'], input: LaunchInput): Cause | null => {
  const made = plan(input);
  return isCause(made) ? made : null;
};

export const twoGpus = [
  { index: 3, uuid: 'GPU-aaa' },
  { index: 1, uuid: 'GPU-bbb' },
] as const;
