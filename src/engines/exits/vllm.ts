/** How vLLM words its ends. Data; `exit-reasons.ts` reads it. Wordings of 0.2 to 0.20, as the samples in the tests say. */
import type { ExitRow } from '../exit-reasons.ts';
import { argumentRows, cudaRows, hostRows, hubRows } from './shared.ts';

export const vllmExitRows: readonly ExitRow[] = [
  {
    pattern: /is less than desired GPU memory utilization/,
    code: 'insufficient_vram',
    advice: 'others hold so much of the VRAM that its share is not free',
  },
  {
    pattern:
      /No available memory for the cache blocks|larger than the maximum number of tokens that can be stored in KV cache|KV cache is needed, which is larger than/,
    code: 'cuda_oom',
    advice: 'no room is left in VRAM for the KV cache; use a smaller `ctx`, a smaller model or a larger share of the card',
  },
  ...cudaRows,
  ...hostRows,
  ...hubRows,
  {
    pattern: /is only supported on GPUs with compute capability|GPUs with compute capability below .* are not supported/,
    code: 'engine_incompatible',
    advice: 'this GPU cannot compute in the way that the model asks for',
  },
  {
    pattern: /Model architectures .* are not supported for now|GGUF model with architecture .* is not supported yet/,
    code: 'model_incompatible',
    advice: 'this version of vLLM does not know this kind of model',
  },
  ...argumentRows,
  {
    pattern: /Engine core proc \S+ died unexpectedly|EngineDeadError/,
    code: 'engine_exited',
    advice: 'its core ended, and it did not say why',
  },
];
