/**
 * Bytes of an engine's working memory: activations of one batch and the scores of its output. Rules of thumb, on the safe side; no
 * engine tells its own beforehand. Pure.
 */
import { assertNever } from '../../cause.ts';
import type { EngineName, ModelShape } from '../../machines/vocabulary.ts';

export interface ComputeRequest {
  readonly engine: EngineName;
  readonly slots: number;
  /** Of all slots together. */
  readonly cells: number;
  /** Tokens worked on at once by llama.cpp. */
  readonly batch: number;
}

/** Tokens of one prefill step where the engine's own default stands. */
const prefillTokens = 8_192;
const f32 = 4;
const bf16 = 2;

/** Null: the header does not tell. */
export const computeBytes = (shape: ModelShape, request: ComputeRequest): number | null => {
  const { embedding, feedForward, vocabulary } = shape;
  if (embedding === null || vocabulary === null) return null;
  const wide = feedForward ?? 4 * embedding;
  switch (request.engine) {
    case 'llamacpp':
      // Scores of every token of a batch, its activations, and the mask of attention.
      return request.batch * f32 * (vocabulary + 4 * embedding + wide) + request.batch * (request.cells / request.slots) * f32;
    case 'vllm':
    case 'sglang':
    case 'tgi':
      // Activations of one prefill step; scores of each slot, in three copies while one is drawn.
      return prefillTokens * bf16 * (4 * embedding + 2 * wide) + request.slots * vocabulary * f32 * 3;
    case 'custom':
      return 0;
    default:
      return assertNever(request.engine);
  }
};
