/**
 * The engines of a state directory as the machine has them: processes that hold the FIFO or the log of a run, whoever started
 * them and whatever they call themselves. Asks no daemon and reads neither command lines nor environments.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

export interface EngineProcess {
  readonly pid: number;
  readonly poolId: string;
  readonly incarnation: string;
  /** `R`, `S`, `T`, … as in /proc; never a zombie. */
  readonly state: string;
  readonly comm: string;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

/** Without the processes of `except`: a daemon reads logs and FIFOs, too. */
export const engineProcesses = (stateDir: string, except: ReadonlySet<number>): readonly EngineProcess[] =>
  namesIn('/proc')
    .filter((name) => /^\d+$/.test(name) && !except.has(Number(name)) && Number(name) !== process.pid)
    .flatMap((name) => processOf(Number(name), stateDir) ?? []);

const processOf = (pid: number, stateDir: string): EngineProcess | null => {
  const run = namesIn(`/proc/${pid}/fd`)
    .map((fd) => runOf(linkOf(`/proc/${pid}/fd/${fd}`), stateDir))
    .find((found) => found !== null);
  if (run == null) return null;
  const stat = textOf(`/proc/${pid}/stat`);
  const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0] ?? 'X';
  return state === 'Z' || state === 'X' ? null : { pid, ...run, state, comm, startTime: Number(fields[19]) };
};

/** `exits/<pool>.<incarnation>` or `logs/<pool>/<at>-<incarnation>.log`, also when it is unlinked. */
const runOf = (link: string, stateDir: string): { readonly poolId: string; readonly incarnation: string } | null => {
  if (!link.startsWith(`${stateDir}/`)) return null;
  const path = link.slice(stateDir.length + 1).replace(/ \(deleted\)$/, '');
  const [, poolId, incarnation] = /^exits\/([a-z0-9-]+)\.([^/.]+)$/.exec(path) ?? /^logs\/([a-z0-9-]+)\/\d+-([^/.]+)\.log$/.exec(path) ?? [];
  return poolId === undefined || incarnation === undefined ? null : { poolId, incarnation };
};

/** What the run records say, as far as they can be read at this moment. */
export interface Recorded {
  readonly poolId: string;
  readonly pid: number;
  readonly startTime: number;
  readonly incarnation: string;
  readonly port: number;
  readonly endpoint: string;
  readonly reservedBytes: number | null;
  readonly gpus: readonly { readonly uuid: string }[];
}

export const runRecords = (stateDir: string): readonly Recorded[] =>
  namesIn(join(stateDir, 'runs'))
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => parsed(textOf(join(stateDir, 'runs', name))) ?? []);

const parsed = (text: string): Recorded | null => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

export const openFiles = (pid: number): number => namesIn(`/proc/${pid}/fd`).length;

/** Bytes; null where it is gone. */
export const residentBytes = (pid: number): number | null => {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`)) ?? [];
  return kib === undefined ? null : Number(kib) * 1024;
};

/** A process, and a file, may be gone while it is looked at. */
const namesIn = (path: string): readonly string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const linkOf = (path: string): string => {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
};
