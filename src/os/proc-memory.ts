/**
 * Host memory that a process has for itself, from `/proc/<pid>/status`, which does not wait for a process in a driver call.
 *
 * Pages of files (a model that is mapped) and shared memory are not counted: they are no place where a model is put.
 */
import { readFileSync } from 'node:fs';

/** Null: there is no such process, or it does not tell. */
export const readAnonymousBytes = (pid: number): number | null => {
  try {
    const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? null : Number(kibibytes) * 1024;
  } catch {
    return null;
  }
};
