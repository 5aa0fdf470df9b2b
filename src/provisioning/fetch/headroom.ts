/** Whether the disk has room for what is to come, asked before it comes: its size, a twentieth more, and a little for everybody else. */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { diskFull } from './failures.ts';

/** What is left to others of the file system. */
const spareBytes = 64 * 1024 * 1024;

/** Throws CauseError `disk_full` with the numbers. */
export const needRoom = async (path: string, aheadBytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(dirname(path));
  const freeBytes = bavail * bsize;
  const needBytes = aheadBytes === 0 ? 0 : Math.ceil(aheadBytes * 1.05) + spareBytes;
  if (freeBytes < needBytes) throw diskFull(path, `expected ${needBytes} bytes free for what is to be fetched, found ${freeBytes}`);
};
