/**
 * The best source of this machine: nvidia-smi until NVML has shown that it works and lists the same cards, NVML from then on, and
 * nvidia-smi again should it ever be unusable. Each change is told once, with the reason.
 *
 * A driver that hangs, hangs for both: nothing is asked of the other one then, so that it costs one process.
 */
import { isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, Inventory } from '../machines/vocabulary.ts';
import { byReading, follow } from './follow.ts';
import { isHang } from './nvidia-smi.ts';
import type { NvmlSource } from './nvml/nvml.ts';
import type { Follower, FollowOrder, GpuSource } from './source.ts';

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
  /** Those that follow begin anew, with the other one. */
  const changed = new Set<() => void>();

  const giveUp = (why: string): void => {
    const wasUsed = standing === 'proven';
    standing = 'unusable';
    nvml.close();
    onNote(`facts about GPUs come from nvidia-smi; NVML is not used: ${why}`);
    if (wasUsed) for (const change of [...changed]) change();
  };
  const judge = (read: Inventory | Cause, known: Inventory | null): void => {
    const lacks = nvml.lacks() ?? whatDiffers(read, known);
    if (lacks !== null) {
      giveUp(lacks);
    } else if (isCause(read)) {
      standing = 'untried';
    } else {
      standing = 'proven';
      onNote('facts about GPUs come through NVML from now on, which is experimental; POOL_MANAGERD_GPU_SOURCE=nvidia-smi does without');
      for (const change of [...changed]) change();
    }
  };
  /** After a look by nvidia-smi that did not hang. */
  const tryNvml = async (deadlineMs: number, known: Inventory | Cause): Promise<Inventory | Cause> => {
    standing = 'trying';
    const read = await nvml.read(deadlineMs);
    judge(read, isCause(known) ? null : known);
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

  const begin = (order: FollowOrder): Follower => {
    if (standing === 'proven') return byReading({ read: readProven }, order);
    return follow(smi, {
      ...order,
      hear: (look, begunMono) => {
        order.hear(look, begunMono);
        if (standing === 'untried' && !isHang(look)) void tryNvml(tryWithinMs, look);
      },
    });
  };

  return {
    get name() {
      return standing === 'proven' ? nvml.name : smi.name;
    },
    read: async (deadlineMs) => {
      if (standing === 'proven') return readProven(deadlineMs);
      const until = stamp().mono + deadlineMs;
      const read = await smi.read(deadlineMs);
      if (standing !== 'untried' || isHang(read)) return read;
      const tried = tryNvml(isCause(read) ? Math.max(1, until - stamp().mono) : tryWithinMs, read);
      if (!isCause(read)) return read;
      const other = await tried;
      return isCause(other) ? read : other;
    },
    follow: (order) => {
      let follower = begin(order);
      const change = (): void => {
        follower.stop();
        follower = begin(order);
      };
      changed.add(change);
      return {
        look: () => follower.look(),
        stop: () => {
          changed.delete(change);
          follower.stop();
        },
      };
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
