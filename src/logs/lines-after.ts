/**
 * What the engines of a pool wrote after an offset, some at a time, from one run into the next. Keeps nothing between two calls.
 *
 * After an offset that was cut off or removed it goes on with the oldest that is there (a cut is told by its mark). An offset
 * from beyond the end belongs to an earlier life of the pool, whose logs were removed: the current run is told from its start.
 */
import type { LogLine } from '../http/ports.ts';
import { splitLines, textOf } from './lines.ts';
import { markerBytes } from './marker.ts';
import { type OpenRun, withRun } from './open-run.ts';
import { listRuns, type Run } from './runs.ts';
import { steadily } from './steadily.ts';
import { endsLine } from './tail.ts';

export interface LinesAfter {
  readonly lines: readonly LogLine[];
  /** What to ask for next; the same again when there is nothing more yet. */
  readonly next: number;
}

/** Before everything. */
export const beginning = -1;

export const linesAfter = (dir: string, after: number): Promise<LinesAfter> =>
  steadily(async () => {
    const runs = await listRuns(dir);
    const at = runs.findLastIndex((run) => run.start <= after);
    const run = runs[Math.max(0, at)];
    return run === undefined ? { lines: [], next: after } : linesOf(run, runs[Math.max(0, at) + 1] ?? null, after);
  });

const block = 64 * 1024;

const linesOf = (run: Run, newer: Run | null, after: number): Promise<LinesAfter> =>
  withRun(run, async (bytes) => {
    // The run before may still write: not into the offsets of this one.
    const end = newer === null ? bytes.end : Math.min(bytes.end, newer.start);
    if (after > end) return { lines: [], next: newer?.start ?? run.start };
    const from = placeIn(run, after);
    const to = Math.min(end, from + block);
    const read = await bytes.read(from, to);
    const { lines, next, within } = splitLines(read, from, !(await endsLine(bytes, from)));
    if (newer === null || to < end) return { lines, next };
    return { lines: within || next === end ? lines : [...lines, await lastWords(bytes, next, end)], next: newer.start };
  });

const placeIn = (run: Run, after: number): number => {
  const cut = run.start < run.offset;
  return after < run.start || (cut && after < run.start + markerBytes) ? run.start : after;
};

const lastWords = async (run: OpenRun, from: number, end: number): Promise<LogLine> => ({ offset: end, text: textOf(await run.read(from, end)) });
