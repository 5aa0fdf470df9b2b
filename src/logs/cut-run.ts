/**
 * Makes room in the log of a running engine: its last part is copied aside, the log emptied. The engine notices nothing, since
 * it appends. No offset ever means other bytes than before, and none goes back.
 *
 * The last step is one piece of synchronous work, so that nothing of this process reads between its parts and that no more is
 * lost than what the engine writes between two system calls. Killed within it, the log is left long and is cut again; its bytes then
 * have larger offsets than before.
 */
import { appendFileSync, fstatSync, ftruncateSync, readSync, renameSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { marker } from './marker.ts';
import { keptName, type Run, unfinishedName } from './runs.ts';

export interface CutOptions {
  /** Of the log's end. */
  readonly keepBytes: number;
  /** Milliseconds since 1970, for the mark. */
  readonly at: number;
}

export const cutRun = async (run: Run, { keepBytes, at }: CutOptions): Promise<void> => {
  const unfinished = join(run.dir, unfinishedName(run.name));
  const log = await open(run.log, 'r+');
  try {
    const copied = await copyEnd(run, log, unfinished, { keepBytes, at });
    if (copied === null || !commit(run, log, copied, unfinished)) dropAll(run, log, at);
  } finally {
    await log.close();
    // By now this may be what was kept before.
    await rm(unfinished, { force: true });
  }
};

/** Removes what a process that was killed while it cut has left. Nobody may be cutting. */
export const tidyRun = async (run: Run): Promise<void> => {
  await rm(join(run.dir, unfinishedName(run.name)), { force: true });
  for (const old of run.stale) await rm(old, { force: true });
};

const block = 256 * 1024;
/** Most bytes copied while nothing else runs. */
const mostAtOnce = 1024 * 1024;
/** After so many rounds of copying what came meanwhile, the engine writes faster than it can be copied. */
const rounds = 8;

/** Says up to where the log was copied; null when it could not be, for want of room or of speed. */
const copyEnd = async (run: Run, log: FileHandle, to: string, { keepBytes, at }: CutOptions): Promise<number | null> => {
  const kept = await open(to, 'w', 0o640);
  try {
    let copied = await lineStartAfter(log, Math.max(0, (await log.stat()).size - keepBytes));
    const most = copied + 2 * keepBytes + mostAtOnce;
    await kept.appendFile(marker(copied + run.offset - run.start, at));
    for (let round = 0; round < rounds && copied < most; round += 1) {
      const { size } = await log.stat();
      copied = await copy(log, kept, copied, Math.min(size, most));
      if ((await log.stat()).size - copied < mostAtOnce / 2) return copied;
    }
    return null;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT')) return null;
    throw thrown;
  } finally {
    await kept.close();
  }
};

/** `position` itself where no line begins within a block. */
const lineStartAfter = async (log: FileHandle, position: number): Promise<number> => {
  if (position === 0) return 0;
  const { buffer, bytesRead } = await log.read(Buffer.alloc(block), 0, block, position - 1);
  const newline = buffer.subarray(0, bytesRead).indexOf(10);
  return newline < 0 ? position : position + newline;
};

const copy = async (log: FileHandle, kept: FileHandle, from: number, to: number): Promise<number> => {
  const bytes = Buffer.alloc(block);
  let copied = from;
  while (copied < to) {
    const { bytesRead } = await log.read(bytes, 0, Math.min(block, to - copied), copied);
    if (bytesRead === 0) break;
    await kept.appendFile(bytes.subarray(0, bytesRead));
    copied += bytesRead;
  }
  return copied;
};

/** False when it cannot be, for want of room or of speed; nothing is changed then. */
const commit = (run: Run, log: FileHandle, copied: number, unfinished: string): boolean => {
  let end = copyRest(log, copied, unfinished);
  if (end === null) return false;
  let kept = rename(unfinished, run, end);
  if (run.kept !== null) renameSync(run.kept, unfinished);
  // Names may take their time on a busy disk: nothing but the emptying may come after a look that found nothing new.
  for (let round = 0; round < rounds && fstatSync(log.fd).size > end; round += 1) {
    const more = copyRest(log, end, kept);
    if (more === null) break;
    end = more;
    kept = rename(kept, run, end);
  }
  ftruncateSync(log.fd, 0);
  for (const old of run.stale) unlinkSync(old);
  return true;
};

const rename = (from: string, run: Run, end: number): string => {
  const kept = join(run.dir, keptName(run.name, run.offset + end));
  renameSync(from, kept);
  return kept;
};

/** Where the log ended when nothing more had come; null as `commit` says. */
const copyRest = (log: FileHandle, from: number, to: string): number | null => {
  let end = from;
  for (let round = 0; round < rounds; round += 1) {
    const { size } = fstatSync(log.fd);
    if (size === end) return end;
    if (size < end || size - from > mostAtOnce) return null;
    const bytes = Buffer.alloc(size - end);
    if (readSync(log.fd, bytes, 0, bytes.length, end) < bytes.length) return null;
    try {
      appendFileSync(to, bytes);
    } catch {
      // Without room, what dropping all frees is needed more than what would have been kept.
      return null;
    }
    end = size;
  }
  return end;
};

/** Needs no room on the disk until it has freed some. */
const dropAll = (run: Run, log: FileHandle, at: number): void => {
  const { size } = fstatSync(log.fd);
  const kept = join(run.dir, keptName(run.name, run.offset + size));
  if (run.kept === null) writeFileSync(kept, '', { mode: 0o640 });
  else {
    truncateSync(run.kept, 0);
    renameSync(run.kept, kept);
  }
  ftruncateSync(log.fd, 0);
  for (const old of run.stale) unlinkSync(old);
  writeFileSync(kept, marker(size + run.offset - run.start, at));
};
