/**
 * Bounds what the output of engines takes on disk: all logs are looked at once a second, and one that has grown too long is cut.
 * A run has at most `maxBytes` and what its engine writes between two looks. Reads and writes nothing of what is short enough.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { poolIdPattern } from '../state/schemas.ts';
import { cutRun, tidyRun } from './cut-run.ts';
import { newFailures } from './new-failures.ts';
import { isMissing, listRuns, logsDirOf, MovedMeanwhile, type Run } from './runs.ts';

export interface LogCapperOptions {
  readonly stateDir: string;
  /** Of one run: a quarter of it is what a cut keeps. */
  readonly maxBytes?: number;
  /** Between the end of one look and the next. */
  readonly intervalMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** A log could not be looked at or cut; the next look tries again. Told once a minute. */
  readonly onFailure?: (error: unknown) => void;
}

export interface LogCapper {
  /** One look at all logs, over when all that were too long are cut. Two at a time are one. */
  sweep(): Promise<void>;
  /** No look begins any more. Resolves when the last one has ended. */
  close(): Promise<void>;
}

/** Forgetting them costs one look each. */
const mostMet = 10_000;

export const createLogCapper = (options: LogCapperOptions): LogCapper => {
  const { stateDir, maxBytes = 32 * 1024 * 1024, intervalMs = 1_000, now = Date.now } = options;
  const onFailure = newFailures(options.onFailure);
  let sweeping: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  /** Logs that this process has met. */
  const met = new Set<string>();

  const capRun = async (run: Run): Promise<void> => {
    if (!met.has(run.log)) await tidyRun(run);
    met.add(run.log);
    const { size } = await stat(run.log);
    if (size + (run.offset - run.start) > maxBytes) await cutRun(run, { keepBytes: Math.floor(maxBytes / 4), at: now() });
  };
  const sweep = (): Promise<void> => {
    if (met.size > mostMet) met.clear();
    sweeping ??= capAll(logsDirOf(stateDir), capRun, onFailure).finally(() => {
      sweeping = null;
    });
    return sweeping;
  };
  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(() => void sweep().then(schedule), intervalMs).unref();
  };
  schedule();
  return {
    sweep,
    close: async () => {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      await sweeping;
    },
  };
};

/** One after the other: a thousand pools are not a thousand requests to the disk at once. Never rejects. */
const capAll = async (logsDir: string, capRun: (run: Run) => Promise<void>, onFailure: (error: unknown) => void): Promise<void> => {
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      // A run may be removed while it is looked at.
      if (!isMissing(thrown) && !(thrown instanceof MovedMeanwhile)) onFailure(thrown);
    }
  };
  await attempt(async () => {
    for (const pool of await readdir(logsDir)) {
      if (!poolIdPattern.test(pool)) continue;
      await attempt(async () => {
        for (const run of await listRuns(join(logsDir, pool))) await attempt(() => capRun(run));
      });
    }
  });
};
