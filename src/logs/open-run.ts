/**
 * Reads a run by offsets while its engine writes and its log may be cut. What is read is right or `MovedMeanwhile` is thrown:
 * a cut takes the kept file away before it empties the log, so bytes read while it is still there are where they were.
 */
import { access, type FileHandle, open } from 'node:fs/promises';
import { isMissing, MovedMeanwhile, type Run } from './runs.ts';

export interface OpenRun {
  readonly start: number;
  /** After the last byte that was there at opening. */
  readonly end: number;
  /** Bytes of [from, to), which lies within [start, end). */
  read(from: number, to: number): Promise<Buffer>;
}

export const withRun = async <T>(run: Run, use: (bytes: OpenRun) => Promise<T>): Promise<T> => {
  const log = await openStill(run.log);
  try {
    const { size } = await log.stat();
    await notCut(run);
    return await use({ start: run.start, end: run.offset + size, read: (from, to) => read(run, log, from, to) });
  } finally {
    await log.close();
  }
};

const read = async (run: Run, log: FileHandle, from: number, to: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  const fromKept = Math.max(0, Math.min(to, run.offset) - from);
  if (fromKept > 0 && run.kept !== null) {
    const kept = await openStill(run.kept);
    try {
      await fill(kept, bytes.subarray(0, fromKept), from - run.start);
    } finally {
      await kept.close();
    }
  }
  if (to > run.offset) await fill(log, bytes.subarray(fromKept), Math.max(from, run.offset) - run.offset);
  await notCut(run);
  return bytes;
};

const notCut = async (run: Run): Promise<void> => {
  if (run.kept !== null) await access(run.kept).catch(moved(run.kept));
};

const openStill = (file: string): Promise<FileHandle> => open(file, 'r').catch(moved(file));

const fill = async (handle: FileHandle, bytes: Buffer, position: number): Promise<void> => {
  for (let filled = 0; filled < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) throw new MovedMeanwhile('the log has become shorter');
    filled += bytesRead;
  }
};

const moved =
  (file: string) =>
  (thrown: unknown): never => {
    throw isMissing(thrown) ? new MovedMeanwhile(`${file} is gone`) : thrown;
  };
