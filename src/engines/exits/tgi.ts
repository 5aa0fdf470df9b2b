/** How text-generation-inference words its ends. Data; `exit-reasons.ts` reads it. Wordings of 0.8 to 3.x, as the samples in the tests say. */
import type { ExitRow } from '../exit-reasons.ts';
import { argumentRows, cudaRows, hostRows, hubRows } from './shared.ts';

export const tgiExitRows: readonly ExitRow[] = [
  {
    pattern: /Not enough memory to handle \d+|would exceed allowed memory/,
    code: 'cuda_oom',
    advice: 'it did not fit in VRAM; use a smaller `ctx`, fewer `slots` or a smaller model',
  },
  ...cudaRows,
  ...hostRows,
  ...hubRows,
  {
    pattern: /Unsupported model type|requires Flash Attention enabled models/,
    code: 'model_incompatible',
    advice: 'this version of text-generation-inference cannot run this model on this GPU',
  },
  {
    pattern: /was signaled to shutdown with signal 4\b/,
    code: 'engine_incompatible',
    advice: 'this build uses instructions that the processor does not have',
  },
  ...argumentRows,
  {
    pattern: /was signaled to shutdown with signal 7\b/,
    code: 'insufficient_host_memory',
    advice: 'shared memory, /dev/shm, is too small for it',
  },
  { pattern: /ShardCannotStart|ShardFailed/, code: 'engine_exited', advice: 'a shard failed, and it did not say why' },
];
