/** Which processes have a file below a folder open, seen by the links in `/proc/<pid>/fd`. The caller itself is not one of them. */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export const processesIn = (dir: string): readonly number[] =>
  namesIn('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => namesIn(join('/proc', pid, 'fd')).some((fd) => linkOf(join('/proc', pid, 'fd', fd)).startsWith(`${dir}/`)))
    .map(Number);

/** A process may end while it is looked at. */
const namesIn = (path: string): readonly string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
