/**
 * Writes what was collected into one file, a plain tar, or into a folder of the same names: first under another name, and under its own
 * when all of it is there. Each file is hashed on its way, and one that is not what its record says ends it.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Header } from 'tar';
import { CauseError } from '../../cause.ts';
import { syncDir } from '../../os/atomic-file.ts';
import { diskFull, isDiskFull } from '../fetch/failures.ts';
import { needRoom } from '../fetch/headroom.ts';
import type { JobReport } from '../jobs/job.ts';
import type { Collected } from './collect.ts';
import { entryOf, manifestName, manifestText, type Piece } from './manifest.ts';

export interface WriteOut {
  readonly to: string;
  readonly form: 'file' | 'folder';
}

interface Sink {
  put(name: string, bytes: number, chunks: AsyncIterable<Buffer>): Promise<void>;
  finish(): Promise<void>;
  close(): Promise<void>;
}

const blockBytes = 512;
const chunkBytes = 4 * 1024 * 1024;

/** Rejects with CauseError, or with the reason of the signal; nothing is then left. */
export const writeOut = async (
  { manifest, pieces }: Collected,
  { to, form }: WriteOut,
  { progress }: JobReport,
  signal: AbortSignal,
): Promise<void> => {
  const content = Buffer.from(manifestText(manifest));
  const total = pieces.reduce((sum, { bytes }) => sum + bytes, content.length);
  const making = `${to}.partial`;
  await mkdir(dirname(to), { recursive: true });
  await rm(making, { recursive: true, force: true });
  await needRoom(making, total);
  const sink = form === 'file' ? await tarSink(making) : await folderSink(making);
  try {
    let done = 0;
    const tell = (bytes: number): void => {
      done += bytes;
      progress(done, total);
    };
    for (const piece of pieces) await sink.put(entryOf(piece.sha256), piece.bytes, checked(piece, tell, signal));
    await sink.put(manifestName, content.length, whole(content));
    await sink.finish();
    await sink.close();
    await rename(making, to);
    await syncDir(dirname(to));
  } catch (thrown) {
    await sink.close().catch(() => undefined);
    await rm(making, { recursive: true, force: true });
    throw isDiskFull(thrown) ? diskFull(to, 'found the disk full while exporting; nothing of it was kept') : thrown;
  }
};

async function* whole(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

async function* checked({ path, sha256, bytes }: Piece, told: (bytes: number) => void, signal: AbortSignal): AsyncGenerator<Buffer> {
  const handle = await open(path, constants.O_RDONLY);
  const hash = createHash('sha256');
  let length = 0;
  try {
    for await (const chunk of handle.createReadStream({ highWaterMark: chunkBytes, autoClose: false })) {
      signal.throwIfAborted();
      hash.update(chunk);
      length += chunk.length;
      if (length > bytes) break;
      told(chunk.length);
      yield chunk;
    }
  } finally {
    await handle.close();
  }
  const found = hash.digest('hex');
  if (found !== sha256 || length !== bytes)
    throw new CauseError({
      code: 'digest_mismatch',
      message: `expected ${path} to be ${bytes} bytes of sha256:${sha256}, found ${length} of sha256:${found}; it was changed since it came, nothing was exported. \`pool-managerd prune\`, or removing it, and \`pull\` bring it back`,
      details: { path },
    });
}

/** Always the same bytes for the same store: no times, no owners. */
const tarSink = async (path: string): Promise<Sink> => {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
  return {
    put: async (name, bytes, chunks) => {
      const header = Buffer.alloc(blockBytes);
      new Header({ path: name, mode: 0o644, size: bytes, mtime: new Date(0), uid: 0, gid: 0, type: 'File' }).encode(header, 0);
      await handle.appendFile(header);
      for await (const chunk of chunks) await handle.appendFile(chunk);
      await handle.appendFile(Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes));
    },
    finish: async () => {
      await handle.appendFile(Buffer.alloc(2 * blockBytes));
      await handle.sync();
    },
    close: () => handle.close(),
  };
};

const folderSink = async (path: string): Promise<Sink> => {
  await mkdir(join(path, 'files'), { recursive: true });
  const write = async (handle: FileHandle, chunks: AsyncIterable<Buffer>): Promise<void> => {
    try {
      for await (const chunk of chunks) await handle.appendFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
  return {
    put: async (name, _bytes, chunks) => write(await open(join(path, name), 'wx', 0o644), chunks),
    finish: () => syncDir(join(path, 'files')),
    close: async () => undefined,
  };
};
