/** The open files of a process, by their links. Needs no more than being the same user, and reads nothing of its memory. */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { isGone } from './proc-stat.ts';

export interface ProcFd {
  readonly fd: number;
  /** `socket:[123]`, or a path. */
  readonly link: string;
  readonly writable: boolean;
}

/** `denied`: another user's process. A process that is gone has none. */
export const fdsOf = (pid: number): readonly ProcFd[] | 'denied' => {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((name) => fdOf(pid, Number(name)) ?? []);
  } catch (thrown) {
    if (isGone(thrown)) return [];
    if (isDenied(thrown)) return 'denied';
    throw thrown;
  }
};

/** Null: not open, or not ours to see. */
export const fdOf = (pid: number, fd: number): ProcFd | null => {
  const path = `/proc/${pid}/fd/${fd}`;
  try {
    return { fd, link: readlinkSync(path), writable: (lstatSync(path).mode & 0o200) !== 0 };
  } catch (thrown) {
    if (isGone(thrown) || isDenied(thrown)) return null;
    throw thrown;
  }
};

const isDenied = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && (thrown.code === 'EACCES' || thrown.code === 'EPERM');
