/**
 * Bounds what the output of engines takes on disk: all logs are looked at once a second, and one that has grown too long is cut.
 * A run has at most `maxBytes` and what its engine writes between two looks. Reads and writes nothing of what is short enough.
 *
 * Which logs there are is found out when a run begins, and now and then; in between only their sizes are asked for.
 */
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { poolIdPattern } from '../state/schemas.ts';
import { cutRun, tidyRun } from './cut-run.ts';
import { newFailures } from './new-failures.ts';
import { isMissing, listRuns, logsDirOf, MovedMeanwhile, type Run, runOfLog } from './runs.ts';

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
  /** One look at all logs, over when all that were too long are cut. */
  sweep(): Promise<void>;
  /** The next look is one at all logs there are. */
  runBegan(): void;
  /** No look begins any more. Resolves when the last one has ended. */
  close(): Promise<void>;
}

/** Forgetting them costs one look each. */
const mostMet = 10_000;
/** Looks from one listing to the next. */
const listedFor = 10;
/** Sizes asked for between two breaths of the event loop, well below a millisecond. */
const atOnce = 64;

export const createLogCapper = (options: LogCapperOptions): LogCapper => {
  const { stateDir, maxBytes = 32 * 1024 * 1024, intervalMs = 1_000, now = Date.now } = options;
  const attempt = attempting(newFailures(options.onFailure));
  let sweeping: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closed = false;

  /** Logs that this process has met. */
  const met = new Set<string>();
  let listed: readonly Run[] = [];
  let looksLeft = 0;

  const tidyNew = async (run: Run): Promise<void> => {
    if (!met.has(run.log)) await tidyRun(run);
    met.add(run.log);
  };
  const list = async (): Promise<void> => {
    if (met.size > mostMet) met.clear();
    looksLeft = listedFor;
    listed = [];
    const found = await allRuns(logsDirOf(stateDir), attempt);
    for (const run of found) await attempt(() => tidyNew(run));
    listed = found;
  };
  const capRun = async ({ log, offset, start }: Run): Promise<void> => {
    // At once: what is here is written at once too, and handing it to a thread costs more than the answer.
    const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    if (size + (offset - start) <= maxBytes) return;
    looksLeft = 0;
    await cutRun(await runOfLog(log), { keepBytes: Math.floor(maxBytes / 4), at: now() });
  };
  const capAll = async (): Promise<void> => {
    looksLeft -= 1;
    if (looksLeft < 0) await list();
    for (const [index, run] of listed.entries()) {
      await attempt(() => capRun(run));
      if (index % atOnce === atOnce - 1) await breathe();
    }
  };
  const look = (): Promise<void> => {
    sweeping ??= capAll().finally(() => {
      sweeping = null;
    });
    return sweeping;
  };
  const runBegan = (): void => {
    looksLeft = 0;
  };
  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(() => void look().then(schedule), intervalMs).unref();
  };
  schedule();
  return {
    sweep: async () => {
      await sweeping;
      runBegan();
      await look();
    },
    runBegan,
    close: async () => {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      await sweeping;
    },
  };
};

type Attempt = (work: () => Promise<void>) => Promise<void>;

/** Never rejects. A run may be removed while it is looked at. */
const attempting =
  (onFailure: (error: unknown) => void): Attempt =>
  async (work) => {
    try {
      await work();
    } catch (thrown) {
      if (!isMissing(thrown) && !(thrown instanceof MovedMeanwhile)) onFailure(thrown);
    }
  };

/** One pool after the other: a thousand pools are not a thousand requests to the disk at once. */
const allRuns = async (logsDir: string, attempt: Attempt): Promise<readonly Run[]> => {
  const found = new Map<string, Run>();
  await attempt(async () => {
    for (const pool of await readdir(logsDir)) {
      if (!poolIdPattern.test(pool)) continue;
      await attempt(async () => {
        for (const run of await listRuns(join(logsDir, pool))) found.set(run.log, run);
      });
    }
  });
  return [...found.values()];
};
