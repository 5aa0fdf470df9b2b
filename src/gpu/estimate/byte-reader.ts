/**
 * Little-endian numbers and texts from a file, front to back, through one buffer. What is skipped is not kept, and nothing is read of
 * what lies behind. Rejects where the file ends, and past a limit that no header reaches.
 */
import type { FileHandle } from 'node:fs/promises';

export interface ByteReader {
  readonly position: () => number;
  readonly u8: () => Promise<number>;
  readonly u16: () => Promise<number>;
  readonly u32: () => Promise<number>;
  readonly u64: () => Promise<bigint>;
  readonly f32: () => Promise<number>;
  readonly f64: () => Promise<number>;
  readonly text: (bytes: number) => Promise<string>;
  readonly skip: (bytes: number) => Promise<void>;
  /** Over texts that each carry their length before them, as u64. */
  readonly skipTexts: (count: number) => Promise<void>;
}

const bufferBytes = 256 * 1024;
/** The largest vocabularies take some 20 MiB. */
const mostBytes = 256 * 1024 * 1024;

export const byteReader = (file: FileHandle): ByteReader => {
  const buffer = Buffer.alloc(bufferBytes);
  /** In the file: where the buffer begins. */
  let begin = 0;
  let filled = 0;
  let at = 0;

  /** Makes `bytes` from `at` on present, moving what is left to the front. */
  const need = async (bytes: number): Promise<void> => {
    if (begin + at + bytes > mostBytes) throw new Error(`expected a header of at most ${mostBytes} bytes, found more`);
    buffer.copyWithin(0, at, filled);
    begin += at;
    filled -= at;
    at = 0;
    while (filled < bytes) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, begin + filled);
      if (bytesRead === 0) throw new Error(`expected ${bytes - filled} more bytes, found the end of the file`);
      filled += bytesRead;
    }
  };
  const take = async <T>(bytes: number, read: (offset: number) => T): Promise<T> => {
    if (filled - at < bytes) await need(bytes);
    const value = read(at);
    at += bytes;
    return value;
  };
  const skip = async (bytes: number): Promise<void> => {
    const here = Math.min(bytes, filled - at);
    at += here;
    if (here === bytes) return;
    begin += at + bytes - here;
    filled = 0;
    at = 0;
    if (begin > mostBytes) throw new Error(`expected a header of at most ${mostBytes} bytes, found more`);
  };

  return {
    position: () => begin + at,
    u8: () => take(1, (offset) => buffer.readUInt8(offset)),
    u16: () => take(2, (offset) => buffer.readUInt16LE(offset)),
    u32: () => take(4, (offset) => buffer.readUInt32LE(offset)),
    u64: () => take(8, (offset) => buffer.readBigUInt64LE(offset)),
    f32: () => take(4, (offset) => buffer.readFloatLE(offset)),
    f64: () => take(8, (offset) => buffer.readDoubleLE(offset)),
    text: (bytes) => take(bytes, (offset) => buffer.toString('utf8', offset, offset + bytes)),
    skip,
    skipTexts: async (count) => {
      for (let index = 0; index < count; index += 1) {
        if (filled - at < 8) await need(8);
        const bytes = buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
        at += 8;
        if (bytes <= filled - at) at += bytes;
        else await skip(bytes);
      }
    },
  };
};
