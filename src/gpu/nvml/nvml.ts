/**
 * GPU facts and Xids through NVML, from a process of its own. Experimental: not verified on a card yet.
 *
 * Decides what answers mean, and when the process is to go: after a failure that it would not get over, and while a card waits for
 * a reset, which the driver refuses as long as anybody holds it open.
 */
import { stamp } from '../../clock.ts';
import type { Cause, GpuFact, Inventory } from '../../machines/vocabulary.ts';
import { nvmlCode } from '../nvml-codes.ts';
import { oneAtATime } from '../one-at-a-time.ts';
import type { Stuck } from '../run-child.ts';
import type { DriverXid, GpuSource } from '../source.ts';
import { isUnwell } from '../unwell.ts';
import { libraryName } from './library.ts';
import { type Answer, type NvmlSession, type NvmlSessionOptions, nvmlSession } from './session.ts';
import { failureOf, understand } from './to-inventory.ts';

export type NvmlOptions = Omit<NvmlSessionOptions, 'onXid'>;

export interface NvmlSource extends GpuSource {
  readonly listen: NonNullable<GpuSource['listen']>;
  /** Why it cannot be used at all here, in a sentence; null: it can, or nobody knows yet. */
  lacks(): string | null;
}

/** How often the process may break before it is given up. */
const mostBreaks = 3;

export const nvml = (options: NvmlOptions = {}): NvmlSource => {
  const listeners = new Set<(xid: DriverXid) => void>();
  const session = nvmlSession({
    ...options,
    onXid: (xid) => {
      for (const hear of listeners) hear(xid);
    },
  });
  const kept: Kept = { session, known: [], wantsDeep: false, lacks: null, breaks: 0 };
  return {
    name: 'nvml',
    read: oneAtATime((deadlineMs) => readAll(kept, deadlineMs)),
    wantDeep: () => {
      kept.wantsDeep = true;
    },
    listen: (hear) => {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    lacks: () => kept.lacks,
    close: session.close,
  };
};

/** What is kept from one read to the next. */
interface Kept {
  readonly session: NvmlSession;
  known: readonly GpuFact[];
  wantsDeep: boolean;
  lacks: string | null;
  /** In a row. */
  breaks: number;
}

const readAll = async (kept: Kept, deadlineMs: number): Promise<Inventory | Cause> => {
  const answer = await kept.session.ask(kept.wantsDeep, deadlineMs);
  kept.breaks = answer.end === 'broken' ? kept.breaks + 1 : 0;
  kept.lacks = whatLacks(answer, kept.breaks);
  if (answer.end !== 'facts') {
    if (answer.end === 'failed' && isForGood(answer.code)) kept.session.rest();
    return causeFrom(answer, deadlineMs);
  }
  kept.wantsDeep = false;
  const now = stamp();
  const { gpus, remarks } = understand(answer.facts, now, kept.known);
  if (gpus.some(isUnwell) || answer.facts.unread.length > 0) kept.session.rest();
  kept.known = remember(kept.known, gpus);
  if (gpus.length === 0)
    return { code: 'gpu_missing', message: `${libraryName} lists no card${remarks.length > 0 ? `: ${remarks.join('; ')}` : ''}` };
  const { driverVersion, cudaVersion } = answer.facts;
  return { ...now, source: 'nvml', driverVersion, cudaVersion: cudaVersion === null ? null : versionOf(cudaVersion), gpus, remarks };
};

/** Cards that are away stay known by the index that they had, as long as no other has it. */
const remember = (before: readonly GpuFact[], now: readonly GpuFact[]): readonly GpuFact[] => [
  ...now,
  ...before.filter((known) => now.every(({ uuid, index }) => uuid !== known.uuid && index !== known.index)),
];

const versionOf = (cuda: number): string => `${Math.floor(cuda / 1000)}.${Math.floor((cuda % 1000) / 10)}`;

const whatLacks = (answer: Answer, breaks: number): string | null => {
  if (answer.end === 'unavailable') return answer.why;
  return answer.end === 'broken' && breaks >= mostBreaks ? `the process that asks it broke ${breaks} times in a row: ${answer.why}` : null;
};

/** What a library once loaded, or once begun, does not get over. */
const isForGood = (code: number): boolean => {
  const kind = nvmlCode(code)?.kind;
  return kind !== 'fine' && (kind !== 'retry' || code === 1 || code === 999);
};

const causeFrom = (answer: Exclude<Answer, { readonly end: 'facts' }>, deadlineMs: number): Cause => {
  switch (answer.end) {
    case 'failed':
      return failureOf(answer.call, answer.code);
    case 'unavailable':
      return {
        code: 'driver_error',
        message: `${libraryName} was expected to be found by the loader, but: ${answer.why}; install the NVIDIA driver with its libraries, or choose another source: POOL_MANAGERD_GPU_SOURCE=nvidia-smi`,
      };
    case 'broken':
      return {
        code: 'driver_error',
        message: `the process that asks the driver through NVML was expected to answer, but ${answer.why}; another one is started`,
      };
    case 'stuck':
      return hung(deadlineMs, answer.stuck);
    case 'closed':
      return { code: 'driver_error', message: 'the driver was not asked to the end: the daemon stops reading the GPUs' };
  }
};

const hung = (deadlineMs: number, { pid, sinceAt, sinceMono }: Stuck): Cause => ({
  code: 'driver_error',
  message: `the driver was expected to answer within ${deadlineMs} ms through NVML, but the process that asks it (pid ${pid}) hangs; no other is started until it is gone; see the kernel log (dmesg | grep NVRM)`,
  details: { pid, since: new Date(sinceAt).toISOString(), hanging_ms: Math.round(stamp().mono - sinceMono) },
});
