/**
 * Whether what an engine's processes hold is what a model wholly in VRAM would make them hold: enough on the GPUs, not too much in
 * host memory.
 *
 * Pure. The bounds are wide: they are for what an engine's words do not tell, a model that was put elsewhere all the same or moved
 * there later. What is not known is no violation.
 */
import { assertNever } from '../cause.ts';
import type { Cause, EngineName, ModelPresent, PoolSpec } from '../machines/vocabulary.ts';
import { estimate } from './estimate/estimate.ts';

/** Null: no bound is known. */
export interface ResidentBounds {
  readonly leastVramBytes: number | null;
  readonly mostHostBytes: number | null;
}

/** Of all processes of an engine, on all its GPUs; null: not known. */
export interface Held {
  readonly vramBytes: number | null;
  readonly hostBytes: number | null;
}

const mib = 1024 ** 2;
const gib = 1024 ** 3;
/** Of the weights by the model's header. The KV cache is not in it: of hybrid models its size is not known well enough. */
const leastOfWeights = 0.9;
/** Of a file whose header is not understood: some of it is no weights. */
const leastOfFile = 0.7;
/** Copies on the way to the GPU, kept by allocators. */
const weightsOnHost = 0.25;

export const residentBounds = (spec: PoolSpec, model: ModelPresent): ResidentBounds => {
  const { engine, devices, slots } = spec;
  const found = estimate(spec, model);
  if (engine === 'custom' || found === null) return { leastVramBytes: null, mostHostBytes: null };
  const hasHeader = model.shape != null;
  const allowance = hostAllowance(engine, devices.length, slots) + (model.shape?.hostBytes ?? 0) + weightsOnHost * found.weightsBytes;
  return {
    leastVramBytes: Math.floor((hasHeader ? leastOfWeights : leastOfFile) * found.weightsBytes),
    mostHostBytes: Math.ceil(allowance),
  };
};

/** What an engine needs of its own: code that is made at run time, tokenisers, requests; Python many times over. */
const hostAllowance = (engine: Exclude<EngineName, 'custom'>, gpus: number, slots: number): number => {
  switch (engine) {
    case 'llamacpp':
      return 2 * gib + slots * 64 * mib;
    case 'vllm':
    case 'sglang':
    case 'tgi':
      return 8 * gib + gpus * 6 * gib;
    default:
      return assertNever(engine);
  }
};

export const residencyViolation = ({ leastVramBytes, mostHostBytes }: ResidentBounds, { vramBytes, hostBytes }: Held): Cause | null => {
  const details = { vram_bytes: vramBytes, least_vram_bytes: leastVramBytes, host_bytes: hostBytes, most_host_bytes: mostHostBytes };
  if (leastVramBytes !== null && vramBytes !== null && vramBytes < leastVramBytes)
    return {
      code: 'residency_violation',
      message: `expected the model wholly in VRAM, at least ${size(leastVramBytes)} held there by the engine's processes, found ${size(vramBytes)}; ${remedy}`,
      details,
    };
  if (mostHostBytes !== null && hostBytes !== null && hostBytes > mostHostBytes)
    return {
      code: 'residency_violation',
      message: `expected at most ${size(mostHostBytes)} of host memory for the engine itself, found ${size(hostBytes)}: part of the model is probably there; ${remedy}`,
      details,
    };
  return null;
};

/** For the proof: what was measured, in words. */
export const heldInWords = ({ leastVramBytes, mostHostBytes }: ResidentBounds, { vramBytes, hostBytes }: Held): readonly string[] => [
  ...(vramBytes === null
    ? []
    : [`its processes hold ${size(vramBytes)} of VRAM${leastVramBytes === null ? '' : ` (at least ${size(leastVramBytes)})`}`]),
  ...(hostBytes === null
    ? []
    : [`and ${size(hostBytes)} of host memory of their own${mostHostBytes === null ? '' : ` (at most ${size(mostHostBytes)})`}`]),
];

const remedy = 'a smaller model or quantisation, less ctx or slots, or more devices make it fit; see the flags and the log of the engine';

const size = (bytes: number): string => `${(bytes / gib).toFixed(2)} GiB`;
