/** The last lines of a run, found from its end: what lies before them is not read. */
import type { LogLine } from '../http/ports.ts';
import { splitLines, textOf } from './lines.ts';
import { type OpenRun, withRun } from './open-run.ts';
import { isMissing, MovedMeanwhile, type Run, runOfLog } from './runs.ts';
import { steadily } from './steadily.ts';

/** `ended`: the run grows no more, so that a last line without an end counts as one. */
export const tailOf = (run: Run, count: number, ended: boolean): Promise<readonly LogLine[]> =>
  withRun(run, (bytes) => tailLines(bytes, count, { ended, lookBack: farthest }));

/** For saying why an engine ended: its last words too, if they lack a newline. None for a file that is not there. */
export const lastLines = async (file: string, count: number): Promise<readonly string[]> => {
  try {
    const lines = await steadily(async () => withRun(await runOfLog(file), (bytes) => tailLines(bytes, count, { ended: true, lookBack: 64 * 1024 })));
    return lines.map(({ text }) => text);
  } catch (thrown) {
    if (isMissing(thrown) || thrown instanceof MovedMeanwhile) return [];
    throw thrown;
  }
};

const block = 64 * 1024;
/** A tail of many long lines is given as far as this goes back. */
const farthest = 8 * 1024 * 1024;

interface TailOptions {
  readonly ended: boolean;
  readonly lookBack: number;
}

const tailLines = async (run: OpenRun, count: number, { ended, lookBack }: TailOptions): Promise<readonly LogLine[]> => {
  if (count <= 0) return [];
  const lines: LogLine[] = [];
  let { position, within } = await tailStart(run, count, Math.max(run.start, run.end - lookBack));
  while (position < run.end) {
    const bytes = await run.read(position, Math.min(run.end, position + block));
    const found = splitLines(bytes, position, within);
    lines.push(...found.lines);
    if (lines.length > 2 * count) lines.splice(0, lines.length - count);
    if (found.next === position) {
      if (ended) lines.push({ offset: run.end, text: textOf(bytes) });
      break;
    }
    ({ next: position, within } = found);
  }
  return lines.slice(-count);
};

/** Where to begin so that the last `count` lines and one that has not ended are found, not before `lowest`. */
const tailStart = async (run: OpenRun, count: number, lowest: number): Promise<{ position: number; within: boolean }> => {
  let missing = count + 1;
  for (let high = run.end; high > lowest; ) {
    const low = Math.max(lowest, high - block);
    const bytes = await run.read(low, high);
    for (let at = bytes.lastIndexOf(10); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(10, at - 1)) {
      missing -= 1;
      if (missing === 0) return { position: low + at + 1, within: false };
    }
    high = low;
  }
  return { position: lowest, within: lowest > run.start && !(await endsLine(run, lowest)) };
};

/** Whether a line begins at `position`. */
export const endsLine = async (run: OpenRun, position: number): Promise<boolean> =>
  position <= run.start || (await run.read(position - 1, position))[0] === 10;
