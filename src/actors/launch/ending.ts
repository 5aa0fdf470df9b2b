/**
 * Why an engine ended and what it said last, from its exit, its output and, where these do not tell, the kernel's log. Never
 * throws, and takes a second at most: an end is told also when nobody knows why.
 */
import { isKilled } from '../../engines/exit-reasons.ts';
import { adapterFor } from '../../engines/index.ts';
import { lastLines } from '../../logs/tail.ts';
import type { Cause, EngineExit, RunRecord } from '../../machines/vocabulary.ts';
import type { ReadKernelLog } from '../../os/kernel-log.ts';
import { whyNotBegun } from './executable.ts';
import { whyOomKilled } from './oom-killed.ts';

export interface Ending {
  readonly cause: Cause;
  /** Secrets out. At most 50 lines and 8 KiB. */
  readonly tail: readonly string[];
}

export interface EndingDeps {
  /** All that are or were of its tree. */
  readonly pids: readonly number[];
  readonly readKernelLog: ReadKernelLog;
}

/** Room for a backtrace behind the words that matter. */
const linesRead = 1_000;
const linesTold = 50;
const bytesTold = 8 * 1024;
const longestLine = 2_000;

/** The kernel is asked where the output does not tell, and of every SIGKILL: what was written before that did not bring it. */
export const endingOf = async (run: RunRecord, exit: EngineExit, { pids, readKernelLog }: EndingDeps): Promise<Ending> => {
  const askKernel = () => whyOomKilled(run, pids, readKernelLog);
  // Side by side, since the pool is told when both have answered.
  const [lines, asked] = await Promise.all([linesOf(run), isKilled(exit) ? askKernel() : null]);
  const cause = causeFromOutput(run, exit, lines);
  const isTold = exit.code === 0 || cause.code !== 'engine_exited';
  const oom = asked ?? (isTold ? 'no' : await askKernel());
  return { cause: withOom(cause, exit, oom), tail: lastWords(lines) };
};

const withOom = (cause: Cause, exit: EngineExit, oom: Awaited<ReturnType<typeof whyOomKilled>>): Cause => {
  if (typeof oom === 'object') return { ...oom, details: { ...cause.details, ...oom.details } };
  if (!isKilled(exit) || cause.code !== 'engine_exited') return cause;
  return { ...cause, message: `${cause.message}; ${notOom[oom]}` };
};

const notOom = {
  no: 'the kernel did not do that for want of memory: its log says nothing of it',
  unknown: 'whether the kernel did that for want of memory is not known, since its log may not be read here: see `journalctl -k` as root',
} as const;

/** A log that is gone or cannot be read has none: how an engine ended is told without it. */
const linesOf = async (run: RunRecord): Promise<readonly string[]> => {
  const lines = await lastLines(run.logFile, linesRead).catch(() => []);
  return lines.filter((line) => line.trim() !== '').map((line) => line.slice(0, longestLine));
};

const causeFromOutput = (run: RunRecord, exit: EngineExit, lines: readonly string[]): Cause => {
  const executable = run.spec.provisioning.mode === 'external' ? run.spec.provisioning.executable : null;
  const notBegun = whyNotBegun(exit, lines, executable ?? run.engine);
  if (notBegun !== null) return notBegun;
  return adapterFor(run.engine).classifyExit(exit, lines);
};

const lastWords = (lines: readonly string[]): readonly string[] => {
  let left = bytesTold;
  const kept: string[] = [];
  for (const line of lines.slice(-linesTold).reverse()) {
    left -= Buffer.byteLength(line) + 1;
    if (left < 0) break;
    kept.unshift(line);
  }
  return kept;
};
