/**
 * Why an engine ended, from its exit and last lines: the way to read a table of wordings. Pure.
 *
 * First matching row wins, most telling first: an engine out of memory also fails to load its model. The rows that engines
 * share are in `exits/`, each engine's own beside them.
 */
import type { ReasonCode } from '../machines/reasons.ts';
import type { Cause, EngineExit } from '../machines/vocabulary.ts';

export interface ExitRow {
  readonly pattern: RegExp;
  readonly code: ReasonCode;
  /** What to make of it. */
  readonly advice: string;
}

export interface Told {
  readonly row: ExitRow;
  readonly line: string;
  /** Where in the line. */
  readonly at: number;
}

/** What was said longer ago did not end it. */
const mostLines = 50;

/** The Cause of an end. `tail` may be long: of backtraces, which can be, nothing is read. Unknown ends are `engine_exited` with the last line. */
export const classify = (rows: readonly ExitRow[], exit: EngineExit, tail: readonly string[]): Cause => {
  const how = describe(exit);
  const details = { code: exit.code, signal: exit.signal };
  if (exit.code === 0) return { code: 'engine_completed', message: 'the engine ended by itself with exit code 0', details };
  const words = withoutBacktrace(tail).slice(-mostLines);
  const told = toldBy(rows, words);
  if (told !== null) return { code: told.row.code, message: `${told.row.advice} (${how}: ${shorten(told.line, told.at)})`, details };
  if (isSignal(exit, 'SIGILL', 4))
    return { code: 'engine_incompatible', message: `this build uses instructions that the processor does not have (${how})`, details };
  const last = words.findLast((line) => line.trim() !== '');
  return {
    code: 'engine_exited',
    message: `the engine ended: ${how}${last === undefined ? '' : `; it last said: ${shorten(last)}`}`,
    details,
  };
};

/** The row that a tail speaks of, and its first such line: causes are printed before what follows from them. */
export const toldBy = (rows: readonly ExitRow[], tail: readonly string[]): Told | null => {
  for (const row of rows) {
    const line = tail.find((candidate) => row.pattern.test(candidate));
    if (line !== undefined) return { row, line, at: line.search(row.pattern) };
  }
  return null;
};

/** Frames and what debuggers say around them: one line per thread, and machines have many. */
const withoutBacktrace = (lines: readonly string[]): readonly string[] => lines.filter((line) => !backtrace.test(line));

const backtrace =
  /^(?:\[New LWP \d+\]|\[Thread debugging |\[Inferior \d+ |Using host libthread_db|No symbol |\d+\t\.\.\/sysdeps\/|(?:frame )?#\d+:? )/;

/** By SIGKILL, whoever sent it. */
export const isKilled = (exit: EngineExit): boolean => isSignal(exit, 'SIGKILL', 9);

/** A shell in between reports a signal as 128 + its number. */
const isSignal = ({ code, signal }: EngineExit, name: string, number: number): boolean => signal === name || code === 128 + number;

const describe = ({ code, signal }: EngineExit): string => {
  if (signal !== null) return `killed by ${signal}`;
  return code === null ? 'its exit code is not known, since it was not our child' : `exit code ${code}`;
};

const longest = 200;
/** A line that is too long begins a little before what matters in it. */
const shorten = (line: string, at = 0): string => {
  const start = line.length <= longest ? 0 : Math.max(0, at - 40);
  return line.slice(start).trim().slice(0, longest);
};
