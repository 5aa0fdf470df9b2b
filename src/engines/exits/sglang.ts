/** How SGLang words its ends. Data; `exit-reasons.ts` reads it. Wordings of 0.1 to 0.5, as the samples in the tests say. */
import type { ExitRow } from '../exit-reasons.ts';
import { argumentRows, cudaRows, hostRows, hubRows } from './shared.ts';

export const sglangExitRows: readonly ExitRow[] = [
  {
    pattern: /Not enough memory\. Please try to increase --mem-fraction-static/,
    code: 'cuda_oom',
    advice: 'no room is left in VRAM for the KV cache; use a smaller model or a larger share of the card',
  },
  ...cudaRows,
  ...hostRows,
  ...hubRows,
  { pattern: /watchdog timeout \(self\.watchdog_timeout=/i, code: 'wedged', advice: 'its own watchdog found that it stood still' },
  ...argumentRows,
  {
    pattern: /Received sigquit from a child proces|Initialization failed\. warmup error/,
    code: 'engine_exited',
    advice: 'a process of it failed, and it did not say why',
  },
];
