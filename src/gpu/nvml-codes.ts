/**
 * NVML's result codes, which nvidia-smi passes on as its exit status: what each means, whose fault it is, what to do.
 *
 * Data only, after nvml.h. What nvidia-smi says in words decides first: see `explain.ts`.
 */
import type { Cause } from '../machines/vocabulary.ts';

export interface NvmlCode {
  readonly code: number;
  /** Without `NVML_ERROR_`. */
  readonly name: string;
  /**
   * `fine`: no error, or one that leaves the facts whole. `retry`: often over at the next look. `us`: the call was wrong, a bug
   * of pool-managerd. `card`: of one card. `machine`: of all cards, until a person does something.
   */
  readonly kind: 'fine' | 'retry' | 'us' | 'card' | 'machine';
  readonly reason: Cause['code'];
  readonly says: string;
}

const bug = 'the question was not one that the driver takes: a bug of pool-managerd, please report it with the version of the driver';
const busy = 'the driver or the machine was short of something for a moment; it is asked again';

const row = (code: number, name: string, kind: NvmlCode['kind'], reason: Cause['code'], says: string): NvmlCode => ({
  code,
  name,
  kind,
  reason,
  says,
});

export const nvmlCodes: readonly NvmlCode[] = [
  row(0, 'SUCCESS', 'fine', 'driver_error', 'no error'),
  row(1, 'UNINITIALIZED', 'retry', 'driver_error', busy),
  row(2, 'INVALID_ARGUMENT', 'us', 'driver_error', bug),
  row(3, 'NOT_SUPPORTED', 'fine', 'driver_error', 'this card or driver does not have what was asked for; it is not known then'),
  row(
    4,
    'NO_PERMISSION',
    'machine',
    'driver_error',
    'this user may not open the GPU devices; allow /dev/nvidia* (under systemd: DeviceAllow=, SupplementaryGroups=video)',
  ),
  row(5, 'ALREADY_INITIALIZED', 'fine', 'driver_error', 'no error'),
  row(
    6,
    'NOT_FOUND',
    'card',
    'gpu_missing',
    'the driver is loaded but lists no card; see the kernel log (dmesg | grep NVRM) for why it could not start them',
  ),
  row(7, 'INSUFFICIENT_SIZE', 'us', 'driver_error', bug),
  row(8, 'INSUFFICIENT_POWER', 'card', 'gpu_unhealthy', 'a card lacks external power; check its power cables'),
  row(
    9,
    'DRIVER_NOT_LOADED',
    'machine',
    'driver_error',
    'the NVIDIA kernel module is not loaded or does not answer; load it (modprobe nvidia) or install the driver',
  ),
  row(10, 'TIMEOUT', 'retry', 'driver_error', 'the driver did not answer in time; see the kernel log (dmesg | grep NVRM) if it happens again'),
  row(11, 'IRQ_ISSUE', 'card', 'gpu_unhealthy', 'the driver gets no interrupts from a card; see the kernel log (dmesg | grep NVRM), and reboot'),
  row(12, 'LIBRARY_NOT_FOUND', 'machine', 'driver_error', 'libnvidia-ml.so is missing or too old; install the NVIDIA driver libraries'),
  row(13, 'FUNCTION_NOT_FOUND', 'machine', 'driver_error', 'libnvidia-ml.so is missing or too old; install the NVIDIA driver libraries'),
  row(14, 'CORRUPTED_INFOROM', 'fine', 'driver_error', 'the InfoROM of a card is corrupted: it works, and NVIDIA says to have it exchanged'),
  row(
    15,
    'GPU_IS_LOST',
    'card',
    'gpu_lost',
    'a card has fallen off the bus; reboot the machine, and check its power and seating if it happens again',
  ),
  row(16, 'RESET_REQUIRED', 'card', 'gpu_reset_required', 'a card needs a reset: nvidia-smi --gpu-reset -i <index> once nothing uses it'),
  row(
    17,
    'OPERATING_SYSTEM',
    'machine',
    'driver_error',
    'the operating system keeps the GPU devices from this process; allow /dev/nvidia* (under systemd: DeviceAllow=, SupplementaryGroups=video)',
  ),
  row(
    18,
    'LIB_RM_VERSION_MISMATCH',
    'machine',
    'driver_mismatch',
    'the loaded NVIDIA kernel module and the installed driver libraries have different versions; reboot, or unload and load the nvidia modules; running engines are kept, none is started',
  ),
  row(19, 'IN_USE', 'retry', 'driver_error', 'a card is in use by something that does not share it; see which process with nvidia-smi'),
  row(20, 'MEMORY', 'retry', 'driver_error', busy),
  row(21, 'NO_DATA', 'retry', 'driver_error', busy),
  row(22, 'VGPU_ECC_NOT_SUPPORTED', 'machine', 'driver_error', 'virtual GPUs do not work with ECC on this card: switch it off (nvidia-smi -e 0)'),
  row(23, 'INSUFFICIENT_RESOURCES', 'retry', 'driver_error', busy),
  row(24, 'FREQ_NOT_SUPPORTED', 'us', 'driver_error', bug),
  row(25, 'ARGUMENT_VERSION_MISMATCH', 'us', 'driver_error', bug),
  row(26, 'DEPRECATED', 'us', 'driver_error', bug),
  row(27, 'NOT_READY', 'retry', 'driver_error', busy),
  row(28, 'GPU_NOT_FOUND', 'card', 'gpu_missing', 'a card that was there is not there any more; see the kernel log (dmesg | grep NVRM)'),
  row(29, 'INVALID_STATE', 'retry', 'driver_error', 'a card is in a state that does not allow what was asked; it is asked again'),
  row(30, 'RESET_TYPE_NOT_SUPPORTED', 'us', 'driver_error', bug),
  row(999, 'UNKNOWN', 'retry', 'driver_error', 'the driver failed and does not say how; see the kernel log (dmesg | grep NVRM) if it happens again'),
];

/** Null: no code of NVML, such as 255 and what a shell gives. */
export const nvmlCode = (code: number | null): NvmlCode | null => nvmlCodes.find((one) => one.code === code) ?? null;
