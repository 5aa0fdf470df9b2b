/** How llama-server words its ends. Data; `exit-reasons.ts` reads it. Wording as of 0.7.0 (2026), older ones beside. */
import { commonRows, cudaRows, type ExitRow } from '../exit-reasons.ts';

export const exitRows: readonly ExitRow[] = [
  ...cudaRows,
  ...commonRows,
  { pattern: /GGML_ASSERT|GGML_ABORT/, code: 'engine_exited', advice: 'it aborted on an assertion of its own' },
  { pattern: /couldn't bind (HTTP server )?socket|Address already in use/i, code: 'port_conflict', advice: 'its port was taken' },
  {
    pattern: /invalid device: |unknown device: |error while handling argument "(-dev|--device)"/,
    code: 'engine_incompatible',
    advice: 'this build does not see the GPU it was given; is it built with CUDA?',
  },
  { pattern: /error: invalid argument|error while handling argument|error: unknown argument/, code: 'invalid_spec', advice: 'it refused a flag' },
  {
    pattern: /gguf_init_from_file: failed to open|failed to open GGUF file|No such file or directory|failed to open model/i,
    code: 'model_missing',
    advice: 'the model file could not be opened',
  },
  {
    pattern: /unknown (model )?architecture|invalid magic|bad magic|error loading model|failed to load model|exiting due to model loading error/i,
    code: 'model_incompatible',
    advice: 'this engine cannot load this model',
  },
];
