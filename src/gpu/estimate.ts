/**
 * How much VRAM a pool will need, before it is started: weights as large as their file, and a fixed overhead per card.
 *
 * Pure. The KV cache is not in it, since its size depends on the model's header; unknown stays null and is not guessed.
 */
import type { ModelPresent, PoolSpec } from '../machines/vocabulary.ts';

/** CUDA context, compute buffers and a short KV cache, on each card. */
export const overheadBytesPerGpu = 512 * 1024 * 1024;

export const estimateNeedBytes = (spec: PoolSpec, model: ModelPresent): number | null =>
  model.bytes === null ? null : model.bytes + overheadBytesPerGpu * spec.devices.length;
