/**
 * The rest of a file over several connections, for a server that gives each of them little: ranges of it side by side, put down in their
 * order. So the part stays the beginning of the file, without holes, to be gone on with by whoever comes next; what of later ranges is in
 * memory is bounded, and lost with the process.
 */
import type { DownloadJob, Widening } from '../jobs/job.ts';
import { rangeOf, validatorOf } from './answer.ts';
import { Interrupted, shownUrl } from './failures.ts';
import { get } from './request.ts';

export const usualWidening: Widening = {
  afterMs: 3_000,
  enoughBytesPerMs: 50_000,
  leastBytes: 128 * 1024 * 1024,
  // Of what the daemon's unit may have in memory, downloads beside each other take little.
  chunkBytes: 8 * 1024 * 1024,
  connections: 4,
};

/** The server does not serve ranges of this very file: one connection is all there is. */
export class Narrow extends Error {
  override readonly name = 'Narrow';
}

export interface Rest {
  /** Where the file was found, behind all redirects. */
  readonly url: string;
  readonly from: number;
  readonly total: number;
  readonly validator: string | null;
}

export interface Wide {
  /** Bytes that have come, in any order. */
  readonly received: () => number;
  /** In order. Throws Narrow, Interrupted or CauseError; the other connections are then closed. */
  readonly pieces: AsyncIterable<Buffer>;
  /** Closes all connections; who waits for a piece is told `reason`. */
  stop(reason: Error): void;
}

export const openWide = (job: DownloadJob, { url, from, total, validator }: Rest, { chunkBytes, connections }: Widening): Wide => {
  const ending = new AbortController();
  let received = 0;
  const hear = (bytes: number): void => {
    received += bytes;
  };
  async function* pieces(): AsyncGenerator<Buffer> {
    const coming: Promise<readonly Buffer[]>[] = [];
    let next = from;
    const ask = (): void => {
      for (; coming.length < connections && next < total; next += chunkBytes) {
        const chunk = fetchChunk(job, { url, from: next, to: Math.min(total, next + chunkBytes) - 1, total, validator }, hear, ending.signal);
        // It may fail before its turn; whoever waits for it then is told.
        chunk.catch(() => undefined);
        coming.push(chunk);
      }
    };
    try {
      for (ask(); coming.length > 0; ask()) yield* (await coming.shift()) ?? [];
    } finally {
      ending.abort(new Error('no longer wanted'));
    }
  }
  return { received: () => received, pieces: pieces(), stop: (reason) => ending.abort(reason) };
};

interface Chunk {
  readonly url: string;
  readonly from: number;
  readonly to: number;
  readonly total: number;
  readonly validator: string | null;
}

const isRefusal = (status: number | undefined): boolean => status === 401 || status === 403 || status === 410;

const fetchChunk = async (job: DownloadJob, chunk: Chunk, hear: (bytes: number) => void, signal: AbortSignal): Promise<readonly Buffer[]> => {
  const { from, to, validator } = chunk;
  const headers = { range: `bytes=${from}-${to}`, ...(validator === null ? {} : { 'if-range': validator }) };
  const credentials = new URL(chunk.url).origin === new URL(job.url).origin ? job.headers : {};
  const { response, url } = await get(chunk.url, { headers, credentials, deadlineMs: job.patience.stallMs, signal });
  const end = (): void => void response.destroy(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const range = rangeOf(response.headers['content-range']);
    const found = validatorOf(response.headers);
    const isSame = range?.from === from && range.total === chunk.total && (validator === null || found === null || found === validator);
    // An address that was good for a while: the next try asks for another.
    if (isRefusal(response.statusCode) && chunk.url !== job.url)
      throw new Interrupted('download_failed', `expected ${shownUrl(url)} to go on being sent, found HTTP ${response.statusCode}`);
    if (response.statusCode !== 206 || !isSame)
      throw new Narrow(`expected bytes ${from} to ${to} of ${shownUrl(url)}, found HTTP ${response.statusCode}`);
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response) {
      bytes += piece.length;
      if (bytes > to - from + 1) break;
      hear(piece.length);
      pieces.push(piece);
    }
    if (bytes === to - from + 1) return pieces;
    throw new Interrupted('download_failed', `expected ${to - from + 1} bytes of ${shownUrl(url)} from byte ${from} on, found ${bytes}`);
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    if (thrown instanceof Narrow || thrown instanceof Interrupted) throw thrown;
    throw new Interrupted(
      'download_failed',
      `expected ${shownUrl(url)} from byte ${from} on, found it cut: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  } finally {
    signal.removeEventListener('abort', end);
    response.destroy();
  }
};
