/**
 * A file that is not whole yet: its bytes, and a note that says of what. What is there is gone on with where it is the beginning
 * of the same content: the digest will tell, or else the server's validator and the boot in which it was written, since after a
 * power cut a file may hold less than it says.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { removeFile, writeFileAtomically } from '../../os/atomic-file.ts';
import type { Digest, DownloadJob } from '../jobs/job.ts';
import { storeFailed } from './failures.ts';

export interface Part {
  readonly handle: FileHandle;
  /** Bytes that are there and hashed. */
  offset: number;
  /** Of the server's file, for If-Range; null: none is known. */
  validator: string | null;
  total: number | null;
  sha256: Hash;
  /** The server was seen to serve no ranges of it side by side. */
  isNarrow: boolean;
}

const noteSchema = v.object({ url: v.string(), validator: v.nullable(v.string()), total: v.nullable(v.number()), bootId: v.string() });

export const noteOf = (part: string): string => `${part}.note.json`;

/** Opens what is there, or begins. Its bytes are not hashed yet. */
export const openPart = async (job: DownloadJob): Promise<Part> => {
  const handle = await openFile(job.part);
  const { size } = await handle.stat();
  const note = await readNote(job.part);
  const same = note !== null && note.url === job.url;
  const usable = size <= job.mostBytes && (job.digest !== null || (same && note.validator !== null && note.bootId === job.bootId));
  if (!usable && size > 0) await handle.truncate(0);
  return {
    handle,
    offset: usable ? size : 0,
    validator: usable && same ? note.validator : null,
    total: job.bytes ?? (usable && same ? note.total : null),
    sha256: createHash('sha256'),
    isNarrow: false,
  };
};

const openFile = async (path: string): Promise<FileHandle> => {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o644);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (thrown) {
    throw storeFailed(path, thrown);
  }
  throw storeFailed(path, 'expected a regular file, found something else');
};

/** A note that cannot be read is none. */
const readNote = async (part: string): Promise<v.InferOutput<typeof noteSchema> | null> => {
  try {
    const parsed = v.safeParse(noteSchema, JSON.parse(await readFile(noteOf(part), 'utf8')));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
};

export const writeNote = ({ part, url, bootId }: DownloadJob, { validator, total }: Part): Promise<void> =>
  writeFileAtomically(noteOf(part), `${JSON.stringify({ url, validator, total, bootId })}\n`, { mode: 0o600 });

export const beginAnew = async (part: Part): Promise<void> => {
  await part.handle.truncate(0);
  part.offset = 0;
  part.sha256 = createHash('sha256');
};

export const removePart = async (part: string): Promise<void> => {
  await removeFile(part);
  await removeFile(noteOf(part));
};

const chunkBytes = 1024 * 1024;

/** Feeds the first `bytes` of a file to hashes; `told` after each piece. */
export const hashFile = async (handle: FileHandle, bytes: number, hashes: readonly Hash[], told: (done: number) => void): Promise<void> => {
  const buffers = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)] as const;
  const read = (into: Buffer, at: number) => handle.read(into, 0, Math.min(chunkBytes, bytes - at), at);
  let done = 0;
  let turn: 0 | 1 = 0;
  let next = read(buffers[0], 0);
  while (done < bytes) {
    const { bytesRead, buffer } = await next;
    if (bytesRead === 0) throw new Error(`expected ${bytes} bytes, found ${done}`);
    done += bytesRead;
    turn = turn === 0 ? 1 : 0;
    if (done < bytes) next = read(buffers[turn], done);
    for (const hash of hashes) hash.update(buffer.subarray(0, bytesRead));
    told(done);
  }
};

/** A digest of another kind needs the whole file and its size. */
const gitBlobHash = (bytes: number): Hash => createHash('sha1').update(`blob ${bytes}\0`);

export const matches = async (digest: Digest, part: Part, sha256: string): Promise<boolean> => {
  if (digest.algorithm === 'sha256') return sha256 === digest.hex;
  const hash = gitBlobHash(part.offset);
  await hashFile(part.handle, part.offset, [hash], () => undefined);
  return hash.digest('hex') === digest.hex;
};
