/** How llama-server words its ends. Data; `exit-reasons.ts` reads it. Wording as of 0.7.0 (2026), older ones beside. */
import type { ExitRow } from '../exit-reasons.ts';
import { cudaRows, hostRows } from '../exits/shared.ts';

export const exitRows: readonly ExitRow[] = [
  ...cudaRows,
  ...hostRows,
  { pattern: /GGML_ASSERT|GGML_ABORT|Assertion `.*' failed/, code: 'engine_exited', advice: 'it aborted on an assertion of its own' },
  {
    pattern: /couldn't bind (HTTP server )?socket/i,
    code: 'port_conflict',
    advice: 'its port was taken, or `host` is no address of this machine',
  },
  {
    pattern: /invalid device: |unknown device: |error while handling argument "(-dev|--device)"/,
    code: 'engine_incompatible',
    advice: 'this build does not see the GPU it was given; is it built with CUDA?',
  },
  {
    pattern: /error: invalid argument|error while handling argument|error: unknown argument|supplied chat template is not supported/,
    code: 'invalid_spec',
    advice: 'it refused a flag',
  },
  {
    pattern: /gguf_init_from_file: failed to open|failed to open GGUF file|_lora_init: failed to open|failed to open model/i,
    code: 'model_missing',
    advice: 'a file of the model could not be opened',
  },
  {
    pattern: /only supports up to version/,
    code: 'model_incompatible',
    advice: 'the model file is of a newer kind than this engine knows; provision a newer engine',
  },
  {
    pattern: /not within the file bounds|failed to read (?:magic|header|key-value pairs|tensor)|invalid magic|bad magic/,
    code: 'model_incompatible',
    advice: 'the model file is damaged, cut short, or no GGUF file',
  },
  {
    pattern:
      /unknown (model )?architecture|key not found in model|tensor '.*' not found|error loading model|failed to load (?:\S+ )?model|exiting due to model loading error/i,
    code: 'model_incompatible',
    advice: 'this engine cannot load this model',
  },
];
