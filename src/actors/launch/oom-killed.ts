/** Whether the kernel killed an engine for want of host memory. Never throws. */
import type { Cause, RunRecord } from '../../machines/vocabulary.ts';
import type { ReadKernelLog } from '../../os/kernel-log.ts';
import { isOomLine, type OomKill, oomKillOf } from '../../os/oom-kill.ts';

const deadlineMs = 1_000;

/**
 * The Cause; `no`: the kernel says of no such kill; `unknown`: its log may not be read. `pids`: all that are or were of the
 * engine's tree, since the kernel may have chosen a worker, whereupon the rest ended by itself.
 */
export const whyOomKilled = async (run: RunRecord, pids: readonly number[], readLog: ReadKernelLog): Promise<Cause | 'no' | 'unknown'> => {
  const messages = await readLog(isOomLine, deadlineMs).catch(() => null);
  if (messages === null) return 'unknown';
  const kill = oomKillOf(messages, new Set(pids), run.startedMono);
  return kill === null ? 'no' : { code: 'oom_killed', message: messageOf(kill, run), details: detailsOf(kill) };
};

const messageOf = (kill: OomKill, run: RunRecord): string => {
  const who = kill.pid === run.pid ? 'it' : `its process ${kill.pid}${kill.comm === null ? '' : ` (${kill.comm})`}`;
  const held = kill.anonBytes === null ? '' : ` when it held ${mebibytes(kill.anonBytes)} MiB of its own`;
  const where = kill.cgroup === null ? 'the machine had no more' : `the cgroup ${kill.cgroup} came to its limit`;
  return `the kernel killed ${who}${held}, since host memory ran out (${where}); it was not VRAM. Give it more host memory, or use a smaller model`;
};

const mebibytes = (bytes: number): number => Math.round(bytes / 1024 / 1024);

const detailsOf = ({ pid, comm, scope, cgroup, anonBytes, fileBytes, shmemBytes }: OomKill): NonNullable<Cause['details']> => ({
  pid,
  comm,
  scope,
  cgroup,
  anon_rss_bytes: anonBytes,
  file_rss_bytes: fileBytes,
  shmem_rss_bytes: shmemBytes,
});
