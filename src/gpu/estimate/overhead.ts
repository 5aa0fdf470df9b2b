/**
 * What an engine takes of each of its GPUs besides weights, KV cache and activations. Rules of thumb in bytes, kept on the safe side;
 * no driver tells them beforehand.
 */
import { assertNever } from '../../cause.ts';
import type { EngineName } from '../../machines/vocabulary.ts';

const mib = 1024 * 1024;

/** CUDA context and libraries. */
export const overheadBytesPerGpu = 512 * mib;

/** Beyond the context: CUDA graphs and the workspaces of attention kernels and NCCL, in engines that have them. */
const graphBytesPerGpu = 768 * mib;

export const overheadBytesOf = (engine: EngineName): number => {
  switch (engine) {
    case 'llamacpp':
    case 'custom':
      return overheadBytesPerGpu;
    case 'vllm':
    case 'sglang':
    case 'tgi':
      return overheadBytesPerGpu + graphBytesPerGpu;
    default:
      return assertNever(engine);
  }
};
