/**
 * Makes a folder and those above it that are not there. Node's own `recursive` goes round for ever where a file system says of a
 * folder that is there that there is none to make another in, as /proc does: one step for each folder ends.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** `mode`: of those that are made. Throws what the file system says. */
export const makeDir = (dir: string, mode: number): void => {
  const path = resolve(dir);
  if (existsSync(path)) return;
  makeDir(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (thrown) {
    // Another process was faster.
    if (!existsSync(path)) throw thrown;
  }
};
