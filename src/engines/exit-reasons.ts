/**
 * Why an engine ended, from its exit and last lines: the rows that engines on CUDA share, and the way to read a table. Pure.
 *
 * First matching row wins, most telling first: an engine out of memory also fails to load its model.
 */
import type { ReasonCode } from '../machines/reasons.ts';
import type { Cause, EngineExit } from '../machines/vocabulary.ts';

export interface ExitRow {
  readonly pattern: RegExp;
  readonly code: ReasonCode;
  /** What to make of it. */
  readonly advice: string;
}

export const cudaRows: readonly ExitRow[] = [
  {
    pattern:
      /cudaMalloc failed: out of memory|CUDA error: out of memory|CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED|unable to allocate CUDA\d* buffer|failed to allocate CUDA\d* buffer/i,
    code: 'cuda_oom',
    advice: 'it did not fit in VRAM; use a smaller `ctx`, fewer `slots` or a smaller model',
  },
  {
    pattern: /driver version is insufficient|CUDA driver is a stub/i,
    code: 'driver_mismatch',
    advice: 'the driver is too old for this build of the engine',
  },
  { pattern: /no CUDA-capable device/i, code: 'gpu_missing', advice: 'the engine sees no GPU' },
  { pattern: /failed to initialize CUDA/i, code: 'driver_error', advice: 'CUDA did not start' },
  { pattern: /CUDA error|ggml_cuda_error|CUBLAS_STATUS_|NCCL error/i, code: 'cuda_error', advice: 'a CUDA call failed' },
];

export const commonRows: readonly ExitRow[] = [
  {
    pattern: /error while loading shared libraries|cannot open shared object file|undefined symbol:|version `GLIBC/,
    code: 'engine_incompatible',
    advice: 'the executable lacks a library on this machine; provision another build',
  },
  {
    pattern: /std::bad_alloc|Cannot allocate memory|failed to allocate CPU\S* buffer|MemoryError/,
    code: 'insufficient_host_memory',
    advice: 'host memory did not suffice',
  },
];

/** The Cause of an end. Unknown ends are `engine_exited` with the last line. */
export const classify = (rows: readonly ExitRow[], exit: EngineExit, tail: readonly string[]): Cause => {
  const how = describe(exit);
  const details = { code: exit.code, signal: exit.signal };
  if (exit.code === 0) return { code: 'engine_completed', message: 'the engine ended by itself with exit code 0', details };
  for (const row of rows) {
    // The first such line: causes are printed before what follows from them.
    const line = tail.find((candidate) => row.pattern.test(candidate));
    if (line !== undefined) return { code: row.code, message: `${row.advice} (${how}: ${shorten(line)})`, details };
  }
  const last = tail.findLast((line) => line.trim() !== '');
  const hint = killed(exit) ? '; if nobody here did that, look for the OOM killer in the kernel log' : '';
  return {
    code: 'engine_exited',
    message: `the engine ended: ${how}${hint}${last === undefined ? '' : `; it last said: ${shorten(last)}`}`,
    details,
  };
};

/** A shell in between reports a signal as 128 + its number. */
const killed = ({ code, signal }: EngineExit): boolean => signal === 'SIGKILL' || code === 137;

const describe = ({ code, signal }: EngineExit): string => {
  if (signal !== null) return `killed by ${signal}`;
  return code === null ? 'its exit code is not known, since it was not our child' : `exit code ${code}`;
};

const shorten = (line: string): string => line.trim().slice(0, 200);
