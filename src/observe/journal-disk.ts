/**
 * What the journal reads back from its own files: the latest transitions, the last number, and older records on demand.
 *
 * Writes nothing and keeps nothing. Damaged lines are passed over.
 */
import { closeSync, openSync } from 'node:fs';
import type { TransitionRecord } from '../http/ports.ts';
import { readTransition } from './journal-lines.ts';
import { parseLine, tailLines, textLines } from './read-lines.ts';

const mebibyte = 1024 * 1024;

export interface Memory {
  readonly records: TransitionRecord[];
  /** Nothing older is on disk. */
  whole: boolean;
}

export const recall = (files: readonly string[], remembered: number): Memory => {
  const records: TransitionRecord[] = [];
  let whole = true;
  for (const file of files) {
    if (records.length >= remembered) return { records: records.slice(-remembered), whole: false };
    const tail = tailLines(file, 2 * mebibyte);
    records.unshift(...tail.lines.map((line) => readTransition(parseLine(line))).filter((record) => record !== null));
    whole &&= tail.whole;
    if (!tail.whole) break;
  }
  return { records: records.slice(-remembered), whole: whole && records.length <= remembered };
};

/** The last line may be longer than the first look; a file without any number in it has none. */
export const lastSeqOf = (file: string): number => {
  for (let bytes = mebibyte; ; bytes *= 8) {
    const { lines, whole } = tailLines(file, bytes);
    const last = lines.reduce((highest, line) => Math.max(highest, seqOf(line) ?? 0), 0);
    if (last > 0 || whole) return last;
  }
};

/**
 * The newest `limit` records that match, oldest first. All files are opened at once, before anything can be put aside; a
 * newer file that has enough saves reading the older ones.
 */
export const scan = async (
  files: readonly string[],
  limit: number,
  mayMatch: (line: string) => boolean,
  matches: (record: TransitionRecord) => boolean = () => true,
): Promise<TransitionRecord[]> => {
  const found: TransitionRecord[] = [];
  const open = files.map((file) => openSync(file, 'r'));
  try {
    for (let fd = open.shift(); fd !== undefined; fd = open.shift()) {
      const here: TransitionRecord[] = [];
      for await (const line of textLines(fd)) {
        if (!mayMatch(line)) continue;
        const record = readTransition(parseLine(line));
        if (record === null || !matches(record)) continue;
        here.push(record);
        if (here.length > limit) here.shift();
      }
      found.unshift(...here);
      if (found.length >= limit) break;
    }
  } finally {
    open.forEach(closeSync);
  }
  return found.slice(-limit);
};

const seqOf = (line: string): number | null => {
  const digits = /^\{"seq":(\d+)/.exec(line)?.[1];
  return digits === undefined ? null : Number(digits);
};

export const isAfter = (line: string, cursor: number): boolean => (seqOf(line) ?? 0) > cursor;
