/** How what engines stand on words its failures: CUDA, the loader, the C library, PyTorch, the Hugging Face hub. Data only. */
import type { ExitRow } from '../exit-reasons.ts';

export const cudaRows: readonly ExitRow[] = [
  {
    pattern:
      /cudaMalloc failed: out of memory|CUDA error: out of memory|CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|unable to allocate CUDA\d* buffer|failed to allocate CUDA\d* buffer/i,
    code: 'cuda_oom',
    advice: 'it did not fit in VRAM; use a smaller `ctx`, fewer `slots` or a smaller model',
  },
  {
    pattern: /no kernel image is available|is not compatible with the current PyTorch installation|device kernel image is invalid/i,
    code: 'engine_incompatible',
    advice: 'this build of the engine has no code for this GPU; provision one for its compute capability',
  },
  {
    pattern:
      /driver version is insufficient|CUDA driver is a stub|NVIDIA driver on your system is too old|PTX was compiled with an unsupported toolchain|Driver\/library version mismatch|forward compatibility was attempted/i,
    code: 'driver_mismatch',
    advice: 'the NVIDIA driver does not fit this build of the engine; update the driver, or restart the machine after an update of it',
  },
  {
    pattern: /no CUDA-capable device|No CUDA GPUs are available|Found no NVIDIA driver on your system|Failed to infer device type/i,
    code: 'gpu_missing',
    advice: 'the engine sees no GPU',
  },
  {
    pattern: /uncorrectable ECC error|hardware stack error/i,
    code: 'gpu_unhealthy',
    advice: 'the GPU reported a fault of its memory or of itself',
  },
  {
    pattern: /failed to initialize CUDA|CUDA unknown error|system not yet initialized/i,
    code: 'driver_error',
    advice: 'CUDA did not start; see whether /dev/nvidia-uvm is there and, with NVSwitch, whether the fabric manager runs',
  },
  { pattern: /NCCL error/i, code: 'cuda_error', advice: 'its GPUs could not speak to each other' },
  { pattern: /CUDA error|ggml_cuda_error|CUBLAS_STATUS_|cudaErrorLaunchFailure/i, code: 'cuda_error', advice: 'a CUDA call failed' },
];

export const hostRows: readonly ExitRow[] = [
  {
    pattern:
      /std::bad_alloc|Cannot allocate memory|failed to allocate CPU\S* buffer|\bMemoryError\b|failed to map segment from shared object|what\(\):\s+Resource temporarily unavailable/,
    code: 'insufficient_host_memory',
    advice: 'host memory, or the number of threads it may have, did not suffice',
  },
  { pattern: /No space left on device/, code: 'disk_full', advice: 'a disk is full' },
  { pattern: /Address already in use|EADDRINUSE/i, code: 'port_conflict', advice: 'a port of it was taken' },
  {
    // What gdb says of itself, called for a backtrace, and what an engine only warns of, did not end it.
    pattern: /^(?!gdb: |.*\bWARNING\b).*(?:cannot open shared object file|undefined symbol:|version `GLIBC)/,
    code: 'engine_incompatible',
    advice: 'it lacks a library on this machine; provision another build',
  },
];

/** Engines in Python that fetch models themselves. */
export const hubRows: readonly ExitRow[] = [
  {
    pattern: /gated repo|(?:401|403) Client Error|GatedRepoError/,
    code: 'download_unauthorized',
    advice: 'the hub gives this model only to whom it knows, or has none of this name; set a token that may read it',
  },
  {
    pattern: /couldn't connect to 'https:\/\/huggingface\.co'|Max retries exceeded with url|Temporary failure in name resolution/i,
    code: 'download_unreachable',
    advice: 'the hub could not be reached',
  },
  {
    pattern: /404 Client Error|is not a local folder and is not a valid model identifier|Repository Not Found/,
    code: 'model_missing',
    advice: 'there is no such model',
  },
  {
    pattern: /does not recognize this architecture|SafetensorError|HeaderTooLarge|does not appear to have a file named config\.json/,
    code: 'model_incompatible',
    advice: 'this version of the engine does not know this kind of model, or its files are damaged',
  },
];

/** Command lines read by Python's argparse or Rust's clap. */
export const argumentRows: readonly ExitRow[] = [
  {
    pattern: /error: unrecognized arguments?:|error: argument --?\S+: |error: invalid value '.*' for '--|error: unexpected argument '--/,
    code: 'invalid_spec',
    advice: 'it refused a flag',
  },
];
