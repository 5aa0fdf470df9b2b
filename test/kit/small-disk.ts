/** A file system of its own, small enough to be filled: a tmpfs, where root may mount one. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface SmallDisk {
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  free(): void;
  unmount(): void;
}

/** Null: it may not be mounted here. */
export const mountSmallDisk = (dir: string, size: string): SmallDisk | null => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `mode=700,size=${size}`, 'tmpfs', dir], { stdio: 'pipe' });
  } catch {
    return null;
  }
  const ballast = join(dir, 'ballast');
  return {
    fill: () => {
      // In smaller and smaller pieces, to the last page.
      for (const bytes of [65_536, 4_096, 1]) fillWith(ballast, 'x'.repeat(bytes));
    },
    free: () => rmSync(ballast),
    // Lazily: whoever still has a file of it open has failed already, and need not leave a mount behind.
    unmount: () => execFileSync('umount', ['-l', dir]),
  };
};

const fillWith = (file: string, text: string): void => {
  try {
    for (;;) appendFileSync(file, text);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOSPC')) throw thrown;
  }
};
