/** Which content of a handoff file this is: inode, time of change and size together. Reading it follows no link. */
import { lstat } from 'node:fs/promises';

/** Null: there is no such file, or it is a directory. */
export const identityOf = async (path: string): Promise<string | null> => {
  try {
    const found = await lstat(path, { bigint: true });
    return found.isDirectory() ? null : `${found.ino}:${found.mtimeNs}:${found.size}`;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
};

export const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
