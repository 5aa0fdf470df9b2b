/**
 * How much VRAM a pool will need, before it is started, in named parts. Pure: what the model's header says comes with the model.
 *
 * Without a header it is weights as large as their file and an overhead per GPU. Unknown stays null and is not guessed.
 */
import type { ModelPresent, ModelShape } from '../../machines/vocabulary.ts';
import { type Asked, askedOf, type NeedSpec } from './asked.ts';
import { computeBytes } from './compute.ts';
import { cacheBytes, cellsOf } from './kv-cache.ts';
import { overheadBytesOf } from './overhead.ts';

/** Bytes, of all GPUs of the pool together. */
export interface Estimate {
  readonly weightsBytes: number;
  /** Null: the header does not tell, and it is in no sum. */
  readonly kvCacheBytes: number | null;
  readonly computeBytes: number | null;
  readonly overheadBytes: number;
  readonly totalBytes: number;
  /** Tokens in the KV cache, of all slots together. */
  readonly tokens: number | null;
  /** What could not be counted. */
  readonly notes: readonly string[];
}

export const estimateNeedBytes = (spec: NeedSpec, model: ModelPresent): number | null => estimate(spec, model)?.totalBytes ?? null;

/** Null: not even the size of the weights is known. */
export const estimate = (spec: NeedSpec, model: ModelPresent): Estimate | null => {
  const shape = spec.engine === 'custom' ? null : (model.shape ?? null);
  const weightsBytes = shape === null ? model.bytes : weightsOf(spec, shape);
  if (weightsBytes === null) return null;
  const asked = askedOf(spec, shape);
  const kvCacheBytes = shape === null ? null : kvCacheOf(shape, asked);
  const compute =
    shape === null || asked.tokens === null ? null : computeBytes(shape, { ...asked, cells: cellsOf({ ...asked, tokens: asked.tokens }) });
  // Each GPU has activations of its own.
  const computeOfAll = compute === null ? null : Math.ceil(compute) * spec.devices.length;
  const overheadBytes = overheadBytesOf(spec.engine) * spec.devices.length;
  return {
    weightsBytes,
    kvCacheBytes,
    computeBytes: computeOfAll,
    overheadBytes,
    totalBytes: weightsBytes + (kvCacheBytes ?? 0) + (computeOfAll ?? 0) + overheadBytes,
    tokens: asked.tokens,
    notes: [
      ...(shape === null && spec.engine !== 'custom' ? [noHeader] : []),
      ...(shape !== null && kvCacheBytes === null ? [noCache] : []),
      ...asked.notes,
    ],
  };
};

const noHeader = "the model's header could not be read: KV cache and compute buffers are not in this sum";
const noCache = "the model's header does not tell the size of its KV cache, or its type is not known: it is not in this sum";

const weightsOf = ({ engine }: NeedSpec, shape: ModelShape): number =>
  engine === 'llamacpp' ? shape.tensorBytes - shape.hostBytes : shape.tensorBytes;

const kvCacheOf = ({ cache }: ModelShape, { tokens, k, v, ...asked }: Asked): number | null =>
  cache === null || tokens === null || k === null || v === null ? null : cacheBytes(cache, { ...asked, tokens, k, v });
