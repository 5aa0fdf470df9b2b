/** Reads one small file of a person's: regular, bounded, UTF-8. A FIFO or device does not block it. Symbolic links are followed. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

export type FileRead =
  | { readonly ok: true; readonly text: string; readonly stats: Stats }
  | { readonly ok: false; readonly missing: boolean; readonly problem: string };

export const readSmallFile = (file: string, mostBytes: number): FileRead => {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    return readOpen(descriptor, mostBytes);
  } catch (thrown) {
    return { ok: false, missing: isMissing(thrown), problem: thrown instanceof Error ? thrown.message : String(thrown) };
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
};

const readOpen = (descriptor: number, mostBytes: number): FileRead => {
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) return wrong('expected a regular file, found another kind');
  const buffer = Buffer.alloc(mostBytes + 1);
  const bytes = fill(descriptor, buffer);
  if (bytes > mostBytes) return wrong(`expected at most ${mostBytes} bytes, found more`);
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytes)), stats };
  } catch {
    return wrong('expected text in UTF-8, found something else');
  }
};

const fill = (descriptor: number, buffer: Buffer): number => {
  let bytes = 0;
  while (bytes < buffer.length) {
    const read = readSync(descriptor, buffer, bytes, buffer.length - bytes, null);
    if (read === 0) break;
    bytes += read;
  }
  return bytes;
};

const wrong = (problem: string): FileRead => ({ ok: false, missing: false, problem });

const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
