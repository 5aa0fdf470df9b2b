/** The last lines of an engine's output. A log that is gone or cannot be read has none: how an engine ended is told without it. */
import { open } from 'node:fs/promises';

const mostBytes = 64 * 1024;
const mostLineLength = 2_000;

export const readLogTail = async (path: string, lines: number): Promise<readonly string[]> => {
  try {
    const text = await readEnd(path);
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-lines)
      .map((line) => line.slice(0, mostLineLength));
  } catch {
    return [];
  }
};

const readEnd = async (path: string): Promise<string> => {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const position = Math.max(0, size - mostBytes);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(Math.min(size, mostBytes)), position });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
};
