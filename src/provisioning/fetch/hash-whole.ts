/** The SHA-256 of a file that is there already. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Downloaded, HashJob, JobReport } from '../jobs/job.ts';
import { nowAndThen } from './now-and-then.ts';
import { hashFile } from './part.ts';

export const hashWhole = async ({ path }: HashJob, report: JobReport): Promise<Downloaded> => {
  report.phase('verifying');
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = await handle.stat();
    const sha256 = createHash('sha256');
    await hashFile(
      handle,
      size,
      [sha256],
      nowAndThen((done) => report.progress(done, size)),
    );
    return { bytes: size, sha256: sha256.digest('hex') };
  } finally {
    await handle.close();
  }
};
