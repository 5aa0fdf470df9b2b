/**
 * Fetches one file into its part, from where it stopped, and verifies it. What is interrupted is gone on with at once, a few times;
 * then it is a failure with its reason, and the part stays for the next start. A part that is not what was asked for goes.
 */
import type { IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import type { Downloaded, DownloadJob, JobReport } from '../jobs/job.ts';
import { judgeAnswer, type Meaning } from './answer.ts';
import { diskFull, Interrupted, isDiskFull, shownUrl, Unwanted } from './failures.ts';
import { needRoom } from './headroom.ts';
import { nowAndThen } from './now-and-then.ts';
import { beginAnew, hashFile, matches, openPart, type Part, removePart, writeNote } from './part.ts';
import { get } from './request.ts';
import { Narrow, openWide } from './wide.ts';

/** Less than this is no progress, however long it drips. */
const leastBytesPerMs = 1;
const longestPauseMs = 10_000;
/** Where the size is not known the disk is looked at again and again. */
const lookAtDiskBytes = 64 * 1024 * 1024;

export const download = async (job: DownloadJob, report: JobReport): Promise<Downloaded> => {
  const part = await openPart(job);
  try {
    const recalled = part.offset;
    await recall(part, report);
    await fetchRest(part, job, report);
    const whole = await verify(part, job, report);
    if (whole !== null) return whole;
    if (recalled === 0) return mismatched(job, part);
    // Not necessarily the server's fault: what was there may have been torn, or another program's.
    await beginAnew(part);
    await fetchRest(part, job, report);
    return (await verify(part, job, report)) ?? mismatched(job, part);
  } catch (thrown) {
    if (thrown instanceof Unwanted || isDiskFull(thrown)) await removePart(job.part);
    if (!isDiskFull(thrown)) throw thrown;
    throw diskFull(job.part, `found the disk full after ${part.offset} bytes of ${shownUrl(job.url)}, which were removed`);
  } finally {
    await part.handle.close();
  }
};

const recall = async (part: Part, report: JobReport): Promise<void> => {
  if (part.offset === 0) return;
  report.phase('verifying');
  const tell = nowAndThen((done) => report.progress(done, part.total ?? part.offset));
  await hashFile(part.handle, part.offset, [part.sha256], tell);
};

const fetchRest = async (part: Part, job: DownloadJob, report: JobReport): Promise<void> => {
  if (part.total !== null && part.offset > 0 && part.offset === part.total) return;
  report.phase('fetching');
  let failures = 0;
  let furthest = part.offset;
  for (;;) {
    try {
      await fetchOnce(part, job, report);
      return;
    } catch (thrown) {
      if (!(thrown instanceof Interrupted)) throw thrown;
      const gotOn = part.offset - furthest >= job.patience.stallMs * leastBytesPerMs;
      failures = gotOn ? 1 : failures + 1;
      if (gotOn) furthest = part.offset;
      if (failures >= job.patience.tries) {
        throw new CauseError({
          code: thrown.code,
          message: `${thrown.message} (${failures} times without getting on)`,
          details: { url: shownUrl(job.url), bytes: part.offset },
        });
      }
      await pause(thrown.waitMs ?? Math.min(job.patience.firstPauseMs * 2 ** (failures - 1), longestPauseMs));
    }
  }
};

const fetchOnce = async (part: Part, job: DownloadJob, report: JobReport): Promise<void> => {
  const { response, url } = await get(job.url, { headers: rangeHeaders(part), credentials: job.headers, deadlineMs: job.patience.stallMs });
  try {
    const wanted = { url, offset: part.offset, validator: part.validator, total: part.total, declared: job.bytes, missing: job.missing };
    const meaning = judgeAnswer({ status: response.statusCode ?? 0, headers: response.headers }, wanted);
    if (meaning === null) return;
    if (meaning === 'anew') {
      await beginAnew(part);
      throw new Interrupted(
        'download_failed',
        `expected ${shownUrl(url)} from byte ${wanted.offset} on, found another range or another file; begun anew`,
      );
    }
    await takeUp(part, meaning, job);
    const isSlow = watchRate(part, response, job);
    if ((await readBody(part, response, job, report, isSlow)) === 'whole') return;
  } finally {
    response.destroy();
  }
  await readWide(part, url, job, report);
};

/** Whether one connection is too slow for what is left, as told once it was looked at for long enough. */
const watchRate = (
  { offset: begun, total, isNarrow }: Part,
  response: IncomingMessage,
  { patience: { widening } }: DownloadJob,
): ((offset: number) => boolean) => {
  const { afterMs, enoughBytesPerMs, leastBytes } = widening;
  const servesRanges = response.statusCode === 206 || response.headers['accept-ranges'] === 'bytes';
  if (isNarrow || total === null || !servesRanges) return () => false;
  const since = performance.now();
  return (offset) => {
    const ms = performance.now() - since;
    return ms >= afterMs && offset - begun < enoughBytesPerMs * ms && total - offset >= leastBytes;
  };
};

/** What is left, over several connections; over one again where the server will not. */
const readWide = async (part: Part, url: string, job: DownloadJob, report: JobReport): Promise<void> => {
  const { offset: from, total, validator } = part;
  if (total === null) throw new Error('it is not read side by side unless its size is known');
  const wide = openWide(job, { url, from, total, validator }, job.patience.widening);
  const watch = watchFlow(() => from + wide.received(), wide.stop, job);
  const tell = nowAndThen(() => report.progress(from + wide.received(), total));
  try {
    for await (const piece of wide.pieces) {
      await take(part, piece, job);
      tell(part.offset);
    }
  } catch (thrown) {
    if (!(thrown instanceof Narrow)) throw thrown;
    part.isNarrow = true;
    throw new Interrupted('download_failed', `${thrown.message}; gone on with over one connection`);
  } finally {
    clearInterval(watch);
  }
  report.progress(part.offset, total);
};

const rangeHeaders = ({ offset, validator }: Part): Readonly<Record<string, string>> => {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, ...(validator === null ? {} : { 'if-range': validator }) };
};

const takeUp = async (part: Part, meaning: Meaning, job: DownloadJob): Promise<void> => {
  if (meaning.from === 0 && part.offset > 0) await beginAnew(part);
  part.total = meaning.total;
  part.validator = meaning.validator;
  if (meaning.total !== null && meaning.total > job.mostBytes) throw tooLarge(job, meaning.total);
  await needRoom(job.part, (meaning.total ?? 0) - part.offset);
  await writeNote(job, part);
};

const readBody = async (
  part: Part,
  response: IncomingMessage,
  job: DownloadJob,
  report: JobReport,
  isSlow: (offset: number) => boolean,
): Promise<'whole' | 'slow'> => {
  const begun = part.offset;
  const watch = watchFlow(
    () => part.offset,
    (stalled) => response.destroy(stalled),
    job,
  );
  const tell = nowAndThen((done) => report.progress(done, part.total));
  let lookAgain = part.offset + lookAtDiskBytes;
  try {
    for await (const chunk of response) {
      await take(part, chunk, job);
      tell(part.offset);
      if (isSlow(part.offset)) return 'slow';
      if (part.total === null && part.offset >= lookAgain) {
        await needRoom(job.part, 1);
        lookAgain += lookAtDiskBytes;
      }
    }
  } catch (thrown) {
    if (thrown instanceof Interrupted || thrown instanceof CauseError || isDiskFull(thrown)) throw thrown;
    const found = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Interrupted('download_failed', `expected ${shownUrl(job.url)} to the end, found it cut after ${part.offset} bytes: ${found}`);
  } finally {
    clearInterval(watch);
  }
  report.progress(part.offset, part.total);
  if (part.total !== null && part.offset < part.total)
    throw new Interrupted(
      'download_failed',
      `expected ${part.total} bytes of ${shownUrl(job.url)}, found its end after ${part.offset} (begun at ${begun})`,
    );
  return 'whole';
};

/** Written and hashed at the same time. */
const take = async (part: Part, chunk: Buffer, job: DownloadJob): Promise<void> => {
  const end = part.offset + chunk.length;
  if (end > job.mostBytes || (part.total !== null && end > part.total)) throw tooLarge(job, null);
  const writing = writeAll(part, chunk);
  part.sha256.update(chunk);
  await writing;
  part.offset = end;
};

/** A disk that is nearly full writes less than it was given. */
const writeAll = async ({ handle, offset }: Part, chunk: Buffer): Promise<void> => {
  for (let written = 0; written < chunk.length; ) {
    written += (await handle.write(chunk, written, chunk.length - written, offset + written)).bytesWritten;
  }
};

const watchFlow = (offset: () => number, stop: (stalled: Interrupted) => void, { url, patience: { stallMs } }: DownloadJob): NodeJS.Timeout => {
  let last = offset();
  return setInterval(() => {
    const now = offset();
    if (now - last < stallMs * leastBytesPerMs)
      stop(new Interrupted('download_stalled', `expected ${shownUrl(url)} to go on, found ${now - last} bytes in ${stallMs} ms`));
    last = now;
  }, stallMs);
};

/** Null: it is not what was asked for. */
const verify = async (part: Part, job: DownloadJob, report: JobReport): Promise<Downloaded | null> => {
  report.phase('verifying');
  if (part.offset === 0 && job.bytes !== 0) throw notAsAsked(job, 'no bytes at all');
  const sha256 = part.sha256.copy().digest('hex');
  if (job.digest !== null && !(await matches(job.digest, part, sha256))) return null;
  await part.handle.datasync();
  return { bytes: part.offset, sha256 };
};

const mismatched = (job: DownloadJob, part: Part): never => {
  throw notAsAsked(job, `${part.offset} bytes of sha256:${part.sha256.copy().digest('hex')}`);
};

const notAsAsked = ({ url, digest }: DownloadJob, found: string): Unwanted =>
  new Unwanted({
    code: 'digest_mismatch',
    message: `expected ${shownUrl(url)} to be ${digest === null ? 'a file' : `${digest.algorithm}:${digest.hex}`}, found ${found}; nothing of it was kept. Correct the checksum, or ask whoever publishes the file`,
    details: { url: shownUrl(url), found },
  });

const tooLarge = ({ url, mostBytes, bytes }: DownloadJob, found: number | null): Unwanted =>
  new Unwanted({
    code: 'download_failed',
    message: `expected at most ${bytes ?? mostBytes} bytes at ${shownUrl(url)}, found ${found ?? 'more'}`,
    details: { url: shownUrl(url) },
  });
