/**
 * What a failed `nvidia-smi` means: exit status and words → a Cause.
 *
 * Pure. Exit statuses are those of nvidia-smi(1), "RETURN VALUE", and NVML's result codes, which the tool passes on; the words
 * decide first, because the same status (255) covers many of them.
 */
import type { Cause } from '../machines/vocabulary.ts';

export interface SmiFailure {
  /** As run, for the message. */
  readonly command: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Standard output and error together. */
  readonly output: string;
}

interface Row {
  readonly words: RegExp;
  readonly exitCodes: readonly number[];
  readonly code: Cause['code'];
  readonly says: string;
}

const table: readonly Row[] = [
  {
    words: /driver\/library version mismatch/i,
    exitCodes: [18],
    code: 'driver_mismatch',
    says: 'the loaded NVIDIA kernel module and the installed driver libraries have different versions; reboot, or unload and load the nvidia modules; running engines are kept, none is started',
  },
  {
    words: /couldn't communicate with the NVIDIA driver|driver not loaded/i,
    exitCodes: [9],
    code: 'driver_error',
    says: 'the NVIDIA kernel module is not loaded or does not answer; load it (modprobe nvidia) or install the driver',
  },
  {
    words: /couldn't find libnvidia-ml|NVML Shared Library/i,
    exitCodes: [12, 13],
    code: 'driver_error',
    says: 'libnvidia-ml.so is missing or too old; install the NVIDIA driver libraries',
  },
  {
    words: /GPU is lost|fallen off the bus/i,
    exitCodes: [15],
    code: 'gpu_lost',
    says: 'a card has fallen off the bus; reboot the machine, and check its power and seating if it happens again',
  },
  {
    words: /requires? (?:a )?reset|reset required/i,
    exitCodes: [16],
    code: 'gpu_reset_required',
    says: 'a card needs a reset: nvidia-smi --gpu-reset -i <index> once nothing uses it',
  },
  {
    words: /No devices were found/i,
    exitCodes: [6],
    code: 'gpu_missing',
    says: 'the driver is loaded but lists no card; see the kernel log (dmesg | grep NVRM) for why it could not start them',
  },
  {
    words: /Insufficient Permissions/i,
    exitCodes: [4, 17],
    code: 'driver_error',
    says: 'this user may not open the GPU devices; allow /dev/nvidia* (under systemd: DeviceAllow=, SupplementaryGroups=video)',
  },
  {
    words: /Unable to determine the device handle/i,
    exitCodes: [],
    code: 'gpu_unhealthy',
    says: 'the driver cannot open a card; see the kernel log (dmesg | grep NVRM)',
  },
];

export const explain = (failure: SmiFailure): Cause => {
  const row =
    table.find(({ words }) => words.test(failure.output)) ?? table.find(({ exitCodes }) => exitCodes.some((one) => one === failure.exitCode));
  const ended = failure.signal === null ? `exit status ${failure.exitCode ?? 'unknown'}` : `ended by ${failure.signal}`;
  const said = firstWords(failure.output);
  return {
    code: row?.code ?? 'driver_error',
    message: `${failure.command} was expected to list the GPUs, but ${ended}${said === '' ? ' and no output' : ` and said "${said}"`}: ${row?.says ?? 'not a failure known here; run it by hand, and see the kernel log (dmesg | grep NVRM)'}`,
    details: { exit_code: failure.exitCode, signal: failure.signal, output: failure.output.slice(0, 2000) },
  };
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
