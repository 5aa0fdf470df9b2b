/** A thread with one job. It ends with the job, or when it is terminated: what it was at stays on disk as it is. */
import { parentPort, workerData } from 'node:worker_threads';
import { causeOf } from '../../cause.ts';
import type { ReasonCode } from '../../machines/reasons.ts';
import { unpack } from '../archive/unpack.ts';
import { checkFiles } from '../fetch/check-files.ts';
import { download } from '../fetch/download.ts';
import { hashWhole } from '../fetch/hash-whole.ts';
import type { Job, JobMessage, JobReport, Outputs } from './job.ts';

const tell = (message: JobMessage): void => parentPort?.postMessage(message);

const report: JobReport = {
  phase: (phase) => tell({ kind: 'phase', phase }),
  progress: (doneBytes, totalBytes) => tell({ kind: 'progress', doneBytes, totalBytes }),
};

const run = (job: Job): Promise<Outputs[Job['kind']]> => {
  switch (job.kind) {
    case 'download':
      return download(job, report);
    case 'unpack':
      return unpack(job, report);
    case 'check':
      return checkFiles(job, report);
    case 'hash':
      return hashWhole(job, report);
  }
};

/** What failed is named by what was done, where nothing better is known. */
const fallbacks = { download: 'download_failed', hash: 'model_missing', unpack: 'install_failed', check: 'install_failed' } as const satisfies Record<
  Job['kind'],
  ReasonCode
>;

/** Whoever starts this thread gives it a job. */
const job: Job = workerData;
// No await at the top: in the executable this is a CommonJS script.
run(job).then(
  (output) => tell({ kind: 'done', output }),
  (thrown: unknown) => tell({ kind: 'failed', cause: causeOf(thrown, fallbacks[job.kind]) }),
);
