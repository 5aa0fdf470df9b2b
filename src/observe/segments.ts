/**
 * A log of lines in a bounded number of files: `name.jsonl` is written, `name.1.jsonl` … are older, the oldest goes.
 *
 * Every line is in the kernel before `append` returns (one write(2), no fsync), so it survives kill -9 of this process.
 * At opening a torn last line is cut off and kept in `name.jsonl.bad`; where that has no room it stays where it is. Knows nothing of what the lines say.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface SegmentOptions {
  readonly directory: string;
  readonly name: string;
  /** A file that has reached this size is put aside at the next line. */
  readonly maxBytes: number;
  /** Files kept, the one being written included. */
  readonly keep: number;
  /** First lines of each new file, when another came before it. */
  readonly head?: () => readonly string[];
}

export interface Segments {
  /** Throws what write(2) and open(2) throw; the next line then begins on a line of its own. */
  append(line: string): void;
  /** Existing files, newest first. */
  files(): readonly string[];
  close(): void;
}

export const segmentFiles = (directory: string, name: string, keep: number): string[] =>
  Array.from({ length: keep }, (_, age) => fileOf(directory, name, age)).filter((file) => existsSync(file));

export const openSegments = ({ directory, name, maxBytes, keep, head = () => [] }: SegmentOptions): Segments => {
  const current = fileOf(directory, name, 0);
  let { fd, torn } = openRepaired(current);
  let size = fstatSync(fd).size;

  const write = (line: string): void => {
    const bytes = Buffer.from(`${torn ? '\n' : ''}${line}\n`);
    torn = true;
    let written = 0;
    while (written < bytes.length) written += writeSync(fd, bytes, written);
    size += bytes.length;
    torn = false;
  };

  const rotate = (): void => {
    // Not again when the last time ended here: the files would move up with nothing behind them, and the oldest would go.
    for (let age = keep - 2; age >= 0 && existsSync(current); age -= 1) {
      const file = fileOf(directory, name, age);
      if (existsSync(file)) renameSync(file, fileOf(directory, name, age + 1));
    }
    // Closed only once there is another: the number of a closed one may already be that of another file.
    const next = openSync(current, 'a', 0o640);
    closeSync(fd);
    fd = next;
    size = fstatSync(fd).size;
    torn = false;
    for (const line of head()) write(line);
  };

  return {
    append: (line) => {
      if (size >= maxBytes) rotate();
      write(line);
    },
    files: () => segmentFiles(directory, name, keep),
    close: () => {
      fsyncSync(fd);
      closeSync(fd);
    },
  };
};

const fileOf = (directory: string, name: string, age: number): string => join(directory, age === 0 ? `${name}.jsonl` : `${name}.${age}.jsonl`);

/** Bytes looked at in one step, and the most that is kept of a torn line. */
const window = 64 * 1024;

/** `torn`: what is damaged at its end is still there, since there is no room to keep it elsewhere. */
const openRepaired = (file: string): { readonly fd: number; readonly torn: boolean } => {
  const fd = openSync(file, 'a+', 0o640);
  const { size } = fstatSync(fd);
  const good = endOfLastGoodLine(fd, size);
  if (good < size) {
    const rest = Buffer.alloc(Math.min(size - good, window));
    readSync(fd, rest, 0, rest.length, good);
    if (!isKeptAside(`${file}.bad`, rest)) return { fd, torn: true };
    ftruncateSync(fd, good);
  }
  return { fd, torn: false };
};

const isKeptAside = (file: string, bytes: Buffer): boolean => {
  try {
    writeFileSync(file, bytes, { mode: 0o640 });
    return true;
  } catch {
    rmSync(file, { force: true });
    return false;
  }
};

/** Byte offset after the last line that ends and is JSON. Lines before it are not looked at: readers pass over damage. */
const endOfLastGoodLine = (fd: number, size: number): number => {
  let end = size;
  while (end > 0) {
    const newline = lastNewlineBefore(fd, end);
    if (newline < 0) return 0;
    const start = lastNewlineBefore(fd, newline) + 1;
    const line = Buffer.alloc(newline - start);
    readSync(fd, line, 0, line.length, start);
    if (isJson(line.toString('utf8'))) return newline + 1;
    end = newline;
  }
  return 0;
};

const lastNewlineBefore = (fd: number, end: number): number => {
  for (let high = end; high > 0; high -= window) {
    const low = Math.max(0, high - window);
    const chunk = Buffer.alloc(high - low);
    readSync(fd, chunk, 0, chunk.length, low);
    const found = chunk.lastIndexOf(10);
    if (found >= 0) return low + found;
  }
  return -1;
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
