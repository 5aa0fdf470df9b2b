/**
 * Files that this process was given without being asked, and would pass on: sockets of a service manager, leftovers of a
 * shell. What Node itself opens closes on exec.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isGone } from './proc-stat.ts';

const closeOnExec = 0o2000000;

/** Numbers above standard error. */
export const inheritedFds = (): readonly number[] =>
  readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((fd) => fd > 2 && isPassedOn(fd));

const isPassedOn = (fd: number): boolean => {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch (thrown) {
    // The directory just read was one of them.
    if (isGone(thrown)) return false;
    throw thrown;
  }
};
