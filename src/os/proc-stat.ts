/**
 * What `/proc/<pid>/stat` says of one process. The only file read for liveness: it never blocks on a process in a driver call.
 *
 * A process is (pid, start time); a pid alone is nobody. Zombies are dead, and no signal is ever used to ask.
 */
import { readFileSync } from 'node:fs';

/** Who a process is within one boot of the machine. */
export interface ProcIdentity {
  readonly pid: number;
  /** Field 22, clock ticks since boot. */
  readonly startTime: number;
}

export interface ProcStat extends ProcIdentity {
  readonly comm: string;
  /** One letter: R, S, D (unkillable for now), T (stopped), Z, … */
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
  readonly session: number;
  readonly threads: number;
  /** Its first thread is on its way out (PF_EXITING): its files are gone from `/proc` before they are closed. */
  readonly exiting: boolean;
  /** utime + stime, clock ticks. */
  readonly cpuTicks: number;
  /** Page faults that went to disk. */
  readonly majorFaults: number;
}

/** PF_EXITING of the kernel's `sched.h`. */
const exitingFlag = 0x4;

/** Null: there is no such process. */
export const readProcStat = (pid: number): ProcStat | null => {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (thrown) {
    if (isGone(thrown)) return null;
    throw thrown;
  }
};

/** The name may hold spaces and brackets, so the fields begin after the last `)`. Null: not a stat line. */
export const parseProcStat = (text: string): ProcStat | null => {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const pid = Number(text.slice(0, open));
  const [state, ...fields] = text.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 4]);
  if (open < 1 || close < open || state === undefined || !Number.isSafeInteger(field(22))) return null;
  return {
    pid,
    comm: text.slice(open + 1, close),
    state,
    ppid: field(4),
    pgrp: field(5),
    session: field(6),
    exiting: (field(9) & exitingFlag) !== 0,
    majorFaults: field(12),
    cpuTicks: field(14) + field(15),
    threads: field(20),
    startTime: field(22),
  };
};

/** A zombie with threads left is a process whose first thread ended, or whose others sit in the driver: it still holds its memory. */
export const isDead = ({ state, threads }: ProcStat): boolean => state === 'X' || state === 'x' || (state === 'Z' && threads <= 1);

/** By SIGSTOP, a terminal or a debugger: it does nothing before it is continued. */
export const isStopped = ({ state }: ProcStat): boolean => state === 'T' || state === 't';

/** The process with this identity as it is now; null: it ended, whoever has its pid by now. */
export const readAlive = ({ pid, startTime }: ProcIdentity): ProcStat | null => {
  const found = readProcStat(pid);
  return found !== null && found.startTime === startTime && !isDead(found) ? found : null;
};

export const isAlive = (identity: ProcIdentity): boolean => readAlive(identity) !== null;

/** Null: there is no such process, or it is dead. */
export const identityOfPid = (pid: number): ProcIdentity | null => {
  const found = readProcStat(pid);
  return found === null || isDead(found) ? null : { pid, startTime: found.startTime };
};

export const sameProcess = (one: ProcIdentity, other: ProcIdentity): boolean => one.pid === other.pid && one.startTime === other.startTime;

/** ESRCH comes from a process that ends while it is being read. */
export const isGone = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ESRCH');
