/**
 * Reads JSON Lines files. A torn or damaged line is passed over, wherever it stands: a reader gets every whole line.
 */
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';

export const parseLine = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
};

/** Lines of one open file as text, oldest first. Closes the descriptor. */
export async function* textLines(fd: number): AsyncGenerator<string> {
  const { size } = fstatSync(fd);
  if (size === 0) {
    closeSync(fd);
    return;
  }
  // Read up to where the file ends now: a reader does not chase the writer.
  const stream = createReadStream('', { fd, start: 0, end: size - 1 });
  try {
    yield* createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  } finally {
    stream.destroy();
  }
}

/** Whole lines within the last `maxBytes` of a file, oldest first, and whether these are all. */
export const tailLines = (file: string, maxBytes: number): { readonly lines: readonly string[]; readonly whole: boolean } => {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const start = Math.max(0, size - maxBytes);
    const bytes = Buffer.alloc(size - start);
    readSync(fd, bytes, 0, bytes.length, start);
    const text = bytes.toString('utf8').split('\n');
    return { lines: (start === 0 ? text : text.slice(1)).filter((line) => line !== ''), whole: start === 0 };
  } finally {
    closeSync(fd);
  }
};
