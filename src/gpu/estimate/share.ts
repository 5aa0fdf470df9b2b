/**
 * Of what a pool was granted, the part on each GPU and what of it an engine must leave to context, graphs and activations: what
 * engines that take a fraction of the card are given theirs from. Pure; null where one of the numbers is not known.
 */
import type { ModelPresent, VramShare } from '../../machines/vocabulary.ts';
import type { NeedSpec } from './asked.ts';
import { estimate } from './estimate.ts';

export interface Granted {
  /** Of all GPUs together. */
  readonly reservedBytes: number | null;
  readonly gpuCount: number;
  /** Of the GPU, or MIG slice, with the most. */
  readonly totalBytes: number | null;
}

export const vramShare = (spec: NeedSpec, model: ModelPresent, { reservedBytes, gpuCount, totalBytes }: Granted): VramShare | null => {
  const parts = estimate(spec, model);
  if (reservedBytes === null || totalBytes === null || gpuCount === 0 || parts === null) return null;
  if (parts.computeBytes === null || parts.kvCacheBytes === null) return null;
  return {
    grantedBytes: Math.floor(reservedBytes / gpuCount),
    overheadBytes: Math.ceil(parts.overheadBytes / gpuCount),
    computeBytes: Math.ceil(parts.computeBytes / gpuCount),
    totalBytes,
  };
};
