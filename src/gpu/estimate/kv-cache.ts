/**
 * Bytes of a KV cache: what a model keeps per token × tokens × the size of a number. Pure.
 *
 * llama.cpp gives each slot a stream of its own, rounded up to 256 cells; layers with a sliding window keep that window and one batch
 * (llama-kv-cache-iswa.cpp). The others keep pages in one pool for all slots.
 */
import type { CacheShape, EngineName } from '../../machines/vocabulary.ts';

/** Bytes per number, by ggml's names and, below, by those of the others. */
const cacheTypes: Readonly<Record<string, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q5_1: 24 / 32,
  q5_0: 22 / 32,
  q4_1: 20 / 32,
  q4_0: 18 / 32,
  iq4_nl: 18 / 32,
  auto: 2,
  bfloat16: 2,
  float16: 2,
  fp8: 1,
  fp8_e4m3: 1,
  fp8_e4m3fn: 1,
  fp8_e5m2: 1,
};

export const knownCacheTypes: readonly string[] = Object.keys(cacheTypes);

/** Null: no such type. */
export const cacheTypeBytes = (type: string): number | null => cacheTypes[type] ?? null;

const cellsRoundedTo = 256;
/** `-ub` of llama.cpp. */
export const defaultBatch = 512;

export interface CacheRequest {
  readonly engine: EngineName;
  readonly slots: number;
  /** All slots together. */
  readonly tokens: number;
  readonly batch: number;
  /** `--swa-full`: layers with a window are cached in full. */
  readonly wholeWindows: boolean;
  /** Bytes per number. */
  readonly k: number;
  readonly v: number;
}

export const cacheBytes = (shape: CacheShape, request: CacheRequest): number => {
  const bytesPerToken = (part: CacheShape['full']): number => part.k * request.k + part.v * request.v;
  const full = cellsOf(request);
  return Math.ceil(bytesPerToken(shape.full) * full + bytesPerToken(shape.windowed) * windowedCells(shape.window, full, request));
};

/** Of all slots together. */
export const cellsOf = ({ engine, tokens, slots }: Pick<CacheRequest, 'engine' | 'tokens' | 'slots'>): number =>
  engine === 'llamacpp' ? slots * rounded(Math.floor(tokens / slots)) : tokens;

const windowedCells = (window: number | null, full: number, { engine, slots, batch, wholeWindows }: CacheRequest): number => {
  if (window === null || wholeWindows) return full;
  const perSlot = engine === 'llamacpp' ? rounded(window + batch) : window;
  // Only llama.cpp is known to keep no more than the window: the others' pools may hold both kinds of layers alike.
  return engine === 'llamacpp' ? slots * Math.min(full / slots, perSlot) : full;
};

const rounded = (cells: number): number => Math.ceil(cells / cellsRoundedTo) * cellsRoundedTo;
