/**
 * From bytes that an engine wrote to lines that may be shown: one line in, one line out, without secrets, control characters or
 * what is not UTF-8, and never longer than 8 KiB. Pure.
 */
import type { LogLine } from '../http/ports.ts';
import { redactOutput } from './redact.ts';

/** Of a line so long or longer only the beginning is told, as soon as so much of it is there. */
export const longestLine = 8 * 1024;

export interface SplitLines {
  readonly lines: readonly LogLine[];
  /** Up to where all is told. */
  readonly next: number;
  /** No line begins at `next`: it lies within one whose beginning was told. */
  readonly within: boolean;
}

/** The lines of `bytes`, whose first has the offset `start` and lies `within` a line that was told already, or begins one. */
export const splitLines = (bytes: Buffer, start: number, within: boolean): SplitLines => {
  const lines: LogLine[] = [];
  let position = 0;
  if (within) {
    const newline = bytes.indexOf(10);
    if (newline < 0) return { lines, next: start + bytes.length, within };
    position = newline + 1;
  }
  while (position < bytes.length) {
    const newline = bytes.indexOf(10, position);
    const end = newline < 0 ? bytes.length : newline;
    const long = end - position >= longestLine;
    if (newline < 0 && !long) break;
    // Where a long line is told does not depend on how much of it was there.
    const told = long ? position + longestLine : end;
    lines.push({ offset: start + (long ? told : end + 1), text: textOf(bytes.subarray(position, told), long) });
    if (newline < 0) return { lines, next: start + bytes.length, within: true };
    position = newline + 1;
  }
  return { lines, next: start + position, within: false };
};

export const textOf = (bytes: Buffer, long = false): string => {
  const line = bytes.at(-1) === 13 ? bytes.subarray(0, -1) : bytes;
  // As a stream the decoder keeps half a character at the end to itself.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(line, { stream: long });
  const safe = redactOutput(text).replace(unsafe, escaped);
  return long || safe.length > longestLine ? `${safe.slice(0, longestLine - 1).toWellFormed()}…` : safe;
};

/** Control characters but the tab; what breaks lines or turns the direction of writing; the byte order mark. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unsafe = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const escaped = (character: string): string => {
  const code = character.charCodeAt(0).toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
};
