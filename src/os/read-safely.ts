/**
 * Reads a file that others may have put there: no link is followed, no FIFO waited for, no device touched, no more read than
 * `maxBytes`. What the text means is the caller's business.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

export interface ReadRules {
  readonly maxBytes: number;
  /** Uids that may own the file; absent: anybody. */
  readonly owners?: ReadonlySet<number>;
}

export interface SafelyRead {
  readonly text: string;
  readonly uid: number;
}

/** The file is not of the kind that is read. Reading it again changes nothing. */
export class FileRefused extends Error {
  override readonly name = 'FileRefused';
}

/** Throws FileRefused, or the error of the system call with its `code` (ENOENT where there is no such file). */
export const readTextSafely = async (path: string, rules: ReadRules): Promise<SafelyRead> => {
  const handle = await openUnfollowed(path);
  try {
    const found = await handle.stat();
    refuseUnlike(path, found, rules);
    return { text: await readUpTo(handle, path, rules.maxBytes), uid: found.uid };
  } finally {
    await handle.close();
  }
};

const openUnfollowed = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    if (errno === 'ELOOP') throw new FileRefused(`expected a regular file, found a symbolic link: ${path}`);
    if (errno === 'ENXIO') throw new FileRefused(`expected a regular file, found a socket or a device without a driver: ${path}`);
    throw thrown;
  }
};

const refuseUnlike = (path: string, found: Stats, { maxBytes, owners }: ReadRules): void => {
  if (!found.isFile()) throw new FileRefused(`expected a regular file, found ${kindOf(found)}: ${path}`);
  if (found.nlink !== 1) throw new FileRefused(`expected a file with one name, found ${found.nlink} hard links: ${path}`);
  if (found.size > maxBytes) throw new FileRefused(`expected at most ${maxBytes} bytes, found ${found.size}: ${path}`);
  if (owners !== undefined && !owners.has(found.uid))
    throw new FileRefused(`expected a file owned by uid ${[...owners].join(' or ')}, found uid ${found.uid}: ${path}`);
};

const kindOf = (found: Stats): string => {
  if (found.isDirectory()) return 'a directory';
  if (found.isFIFO()) return 'a FIFO';
  if (found.isSocket()) return 'a socket';
  return 'a device';
};

/** One byte more than allowed tells a file that grew since it was looked at. */
const readUpTo = async (handle: FileHandle, path: string, maxBytes: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(64 * 1024, maxBytes + 1 - bytes)));
    if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
    bytes += bytesRead;
    if (bytes > maxBytes) throw new FileRefused(`expected at most ${maxBytes} bytes, found more: ${path}`);
    chunks.push(buffer.subarray(0, bytesRead));
  }
};
