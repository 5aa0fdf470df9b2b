/** The Cause of an engine that the kernel killed for want of host memory; null: it did not, or nobody may know. Never throws. */
import type { Cause, RunRecord } from '../../machines/vocabulary.ts';
import type { ReadKernelLog } from '../../os/kernel-log.ts';
import { isOomLine, type OomKill, oomKillOf } from '../../os/oom-kill.ts';

const deadlineMs = 1_000;

/** `pids`: all that are or were of its tree; the kernel may have chosen a worker, whereupon the rest ended by itself. */
export const whyOomKilled = async (run: RunRecord, pids: readonly number[], readLog: ReadKernelLog): Promise<Cause | null> => {
  const messages = await readLog(isOomLine, deadlineMs).catch(() => null);
  const kill = messages === null ? null : oomKillOf(messages, new Set(pids), run.startedMono);
  return kill === null ? null : { code: 'oom_killed', message: messageOf(kill, run), details: detailsOf(kill) };
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
