/**
 * Whether the kernel killed a process for want of host memory, from the kernel's own words. Pure.
 *
 * Two lines tell it, `oom-kill:constraint=…` (which the kernel may leave out when it is busy) and `Killed process …`. Wording
 * of Linux 4.19 to 6.18, `mm/oom_kill.c`. The pids are those of the machine, not of a container.
 */
import type { KernelMessage } from './kernel-log.ts';

export interface OomKill {
  readonly pid: number;
  readonly comm: string | null;
  /** The machine ran out of memory, or a cgroup came to its limit; null: it was not said. */
  readonly scope: 'machine' | 'cgroup' | null;
  /** The cgroup whose limit it was. */
  readonly cgroup: string | null;
  readonly anonBytes: number | null;
  readonly fileBytes: number | null;
  readonly shmemBytes: number | null;
}

export const isOomLine = (text: string): boolean => text.startsWith('oom-kill:') || text.includes('Killed process ');

/** The latest kill of one of these processes since `sinceMono` (CLOCK_MONOTONIC, ms); null: none was told. */
export const oomKillOf = (messages: readonly KernelMessage[], pids: ReadonlySet<number>, sinceMono: number): OomKill | null =>
  messages
    .filter(({ mono }) => mono >= sinceMono - clockSlack(sinceMono))
    .map(({ text }) => readConstraint(text) ?? readKilled(text))
    .filter((kill) => kill !== null && pids.has(kill.pid))
    .reduce<OomKill | null>((known, kill) => (known !== null && kill?.pid === known.pid ? merge(known, kill) : kill), null);

/** The kernel's clock is not slewed. A pid comes again much later than this. */
const clockSlack = (mono: number): number => 1_000 + mono / 1_000;

const readConstraint = (text: string): OomKill | null => {
  const [, constraint, rest = ''] = /^oom-kill:constraint=(\w+),(.*)$/.exec(text) ?? [];
  const pid = /,pid=(\d+)/.exec(rest)?.[1];
  if (constraint === undefined || pid === undefined) return null;
  const inCgroup = constraint === 'CONSTRAINT_MEMCG';
  return {
    ...unknown(Number(pid)),
    comm: /,task=(.*),pid=\d+/.exec(rest)?.[1] ?? null,
    scope: inCgroup ? 'cgroup' : 'machine',
    cgroup: inCgroup ? (/(?:^|,)oom_memcg=(.*?),(?:task_memcg|task)=/.exec(rest)?.[1] ?? null) : null,
  };
};

const readKilled = (text: string): OomKill | null => {
  const [, pid, comm = null] = /Killed process (\d+) \((.*?)\)[, ]/.exec(text) ?? [];
  if (pid === undefined) return null;
  return {
    ...unknown(Number(pid)),
    comm,
    scope: /^Memory cgroup out of memory/i.test(text) ? 'cgroup' : /^Out of memory/i.test(text) ? 'machine' : null,
    anonBytes: kibibytes(text, 'anon-rss'),
    fileBytes: kibibytes(text, 'file-rss'),
    shmemBytes: kibibytes(text, 'shmem-rss'),
  };
};

const unknown = (pid: number): OomKill => ({ pid, comm: null, scope: null, cgroup: null, anonBytes: null, fileBytes: null, shmemBytes: null });

const kibibytes = (text: string, name: string): number | null => {
  const found = new RegExp(`${name}:(\\d+)kB`).exec(text)?.[1];
  return found === undefined ? null : Number(found) * 1024;
};

const merge = (known: OomKill, more: OomKill): OomKill => ({
  pid: known.pid,
  comm: more.comm ?? known.comm,
  scope: more.scope ?? known.scope,
  cgroup: more.cgroup ?? known.cgroup,
  anonBytes: more.anonBytes ?? known.anonBytes,
  fileBytes: more.fileBytes ?? known.fileBytes,
  shmemBytes: more.shmemBytes ?? known.shmemBytes,
});
