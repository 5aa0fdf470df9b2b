/**
 * The best source of this machine: nvidia-smi until NVML has shown that it works and lists the same cards, NVML from then on, and
 * nvidia-smi again should it ever be unusable. Each change is told once, with the reason.
 *
 * A driver that hangs, hangs for both: nothing is asked of the other one then, so that it costs one process.
 */
import { isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, Inventory } from '../machines/vocabulary.ts';
import type { NvmlSource } from './nvml/nvml.ts';
import type { GpuSource } from './source.ts';

export interface AutomaticDeps {
  readonly smi: GpuSource;
  readonly nvml: NvmlSource;
  /** One sentence for the log. */
  readonly onNote: (note: string) => void;
}

/** A process is started for the first try, and the driver may have to be waited for. */
const tryWithinMs = 10_000;

export const automatic = ({ smi, nvml, onNote }: AutomaticDeps): GpuSource => {
  let standing: 'untried' | 'trying' | 'proven' | 'unusable' = 'untried';

  const giveUp = (why: string): void => {
    standing = 'unusable';
    nvml.close();
    onNote(`facts about GPUs come from nvidia-smi; NVML is not used: ${why}`);
  };
  const judge = (read: Inventory | Cause, known: Inventory | null): void => {
    const lacks = nvml.lacks() ?? whatDiffers(read, known);
    standing = isCause(read) ? 'untried' : 'proven';
    if (lacks !== null) giveUp(lacks);
    else if (!isCause(read))
      onNote('facts about GPUs come through NVML from now on, which is experimental; POOL_MANAGERD_GPU_SOURCE=nvidia-smi does without');
  };
  const tryNvml = async (deadlineMs: number, known: Inventory | null): Promise<Inventory | Cause> => {
    standing = 'trying';
    const read = await nvml.read(deadlineMs);
    judge(read, known);
    return read;
  };

  const readProven = async (deadlineMs: number): Promise<Inventory | Cause> => {
    const until = stamp().mono + deadlineMs;
    const read = await nvml.read(deadlineMs);
    const lacks = nvml.lacks();
    if (lacks === null) return read;
    if (standing === 'proven') giveUp(lacks);
    return smi.read(Math.max(1, until - stamp().mono));
  };

  return {
    get name() {
      return standing === 'proven' ? nvml.name : smi.name;
    },
    read: async (deadlineMs) => {
      if (standing === 'proven') return readProven(deadlineMs);
      const until = stamp().mono + deadlineMs;
      const read = await smi.read(deadlineMs);
      if (standing !== 'untried') return read;
      if (!isCause(read)) void tryNvml(tryWithinMs, read);
      else if (!isHang(read) && until - stamp().mono > 0) {
        const other = await tryNvml(until - stamp().mono, null);
        return isCause(other) ? read : other;
      }
      return read;
    },
    wantDeep: () => {
      smi.wantDeep?.();
      nvml.wantDeep?.();
    },
    listen: nvml.listen,
    close: () => {
      smi.close();
      nvml.close();
    },
  };
};

/** Null: nothing, or nobody knows. */
const whatDiffers = (read: Inventory | Cause, known: Inventory | null): string | null => {
  if (isCause(read) || known === null || uuidsOf(known) === uuidsOf(read)) return null;
  return `it lists other cards (${uuidsOf(read)}) than nvidia-smi (${uuidsOf(known)})`;
};

const uuidsOf = ({ gpus }: Inventory): string =>
  gpus
    .map(({ uuid }) => uuid)
    .sort()
    .join(', ');

const isHang = ({ details }: Cause): boolean => details?.['hanging_ms'] !== undefined;
