/** Hashes files that are there already and says which are not what they were. One that cannot be read is not. */
import { join } from 'node:path';
import type { CheckJob, JobReport } from '../jobs/job.ts';
import { hashWhole } from './hash-whole.ts';

const silent: JobReport = { phase: () => undefined, progress: () => undefined };

export const checkFiles = async ({ dir, files }: CheckJob, report: JobReport): Promise<{ readonly changed: readonly string[] }> => {
  report.phase('verifying');
  const changed: string[] = [];
  for (const { path, sha256 } of files) {
    const found = await hashWhole({ kind: 'hash', path: join(dir, path) }, silent).catch(() => null);
    if (found?.sha256 !== sha256) changed.push(path);
  }
  return { changed };
};
