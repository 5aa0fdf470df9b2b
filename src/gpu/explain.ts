/**
 * What a failed `nvidia-smi` means: exit status and words → a Cause.
 *
 * Pure. The words decide first, because the same status (255) covers many of them; then the status, which is NVML's.
 */
import type { Cause } from '../machines/vocabulary.ts';
import { nvmlCode } from './nvml-codes.ts';

export interface SmiFailure {
  /** As run, for the message. */
  readonly command: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Standard output and error together. */
  readonly output: string;
}

interface Meaning {
  readonly reason: Cause['code'];
  readonly says: string;
}

/** Words, and the NVML code that they stand for. */
const wordings: readonly (readonly [words: RegExp, code: number])[] = [
  [/driver\/library version mismatch/i, 18],
  [/couldn't communicate with the NVIDIA driver|driver not loaded/i, 9],
  [/couldn't find libnvidia-ml|NVML Shared Library/i, 12],
  [/GPU is lost|fallen off the bus/i, 15],
  [/requires? (?:a )?reset|reset required/i, 16],
  [/No devices were found/i, 6],
  [/Insufficient Permissions/i, 4],
];

const cannotOpen: Meaning = { reason: 'gpu_unhealthy', says: 'the driver cannot open a card; see the kernel log (dmesg | grep NVRM)' };
const unknown: Meaning = { reason: 'driver_error', says: 'not a failure known here; run it by hand, and see the kernel log (dmesg | grep NVRM)' };

/** 2 of nvidia-smi is an argument or field that it does not know, which `refusedField` reads. */
const meaningOf = (output: string, exitCode: number | null): Meaning => {
  const worded = wordings.find(([words]) => words.test(output));
  if (worded !== undefined) return nvmlCode(worded[1]) ?? unknown;
  if (/Unable to determine the device handle/i.test(output)) return cannotOpen;
  return nvmlCode(exitCode === 0 ? null : exitCode) ?? unknown;
};

export const explain = (failure: SmiFailure): Cause => {
  const { reason, says } = meaningOf(failure.output, failure.exitCode);
  const ended = failure.signal === null ? `exit status ${failure.exitCode ?? 'unknown'}` : `ended by ${failure.signal}`;
  const said = firstWords(failure.output);
  return {
    code: reason,
    message: `${failure.command} was expected to list the GPUs, but ${ended}${said === '' ? ' and no output' : ` and said "${said}"`}: ${says}`,
    details: { exit_code: failure.exitCode, signal: failure.signal, output: failure.output.slice(0, 2000) },
  };
};

/** What the tool says of one card that it does not list. */
export const explainRemark = (remark: string): Cause => {
  const { reason, says } = meaningOf(remark, null);
  return { code: reason === 'driver_error' ? 'gpu_unhealthy' : reason, message: `the driver said "${firstWords(remark)}": ${says}` };
};

export const notInstalled = (executable: string, path: string): Cause => ({
  code: 'driver_error',
  message: `${executable} was expected on the PATH (${path}) but is not there or cannot be run: install the NVIDIA driver with its utilities, or correct PATH`,
});

export const notUnderstood = (command: string, lines: readonly string[]): Cause => ({
  code: 'driver_error',
  message: `${command} answered something that is not understood: "${firstWords(lines.join(' '))}"; please report it with the driver's version`,
  details: { lines: lines.slice(0, 5).map((line) => line.slice(0, 400)) },
});

const firstWords = (output: string): string => output.replace(/\s+/g, ' ').trim().slice(0, 240);
