/** Runs one job on a thread of its own. Aborted, the thread is gone before the promise rejects, so that its files are free. */
import { CauseError } from '../../cause.ts';
import { startThread } from '../../os/self.ts';
import type { Job, JobMessage, JobReport, Outputs } from './job.ts';

/** Rejects with CauseError, or with the reason of the signal. */
export const runJob = <J extends Job>(job: J, report: JobReport, signal: AbortSignal): Promise<Outputs[J['kind']]> => {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const worker = startThread(job);
    let settle = (): void => reject(new Error(`the worker of a ${job.kind} ended without a word: a bug of pool-managerd`));
    const stop = (): void => {
      settle = () => reject(signal.reason);
      void worker.terminate();
    };
    signal.addEventListener('abort', stop, { once: true });
    worker.on('message', (message: JobMessage) => {
      if (signal.aborted) return;
      switch (message.kind) {
        case 'phase':
          return report.phase(message.phase);
        case 'progress':
          return report.progress(message.doneBytes, message.totalBytes);
        case 'failed':
          settle = () => reject(new CauseError(message.cause));
          return;
        case 'done':
          // Of the kind of the job: the other end is `worker.ts`, started by us with this very job.
          settle = () => resolve(message.output as Outputs[J['kind']]);
      }
    });
    worker.once('error', (error) => {
      settle = () => reject(error);
    });
    worker.once('exit', () => {
      signal.removeEventListener('abort', stop);
      settle();
    });
  });
};
