/** Whether the kernel killed a process, from lines as Linux writes them. */
import { describe, expect, it } from 'vitest';
import { isOomLine, oomKillOf } from '../../src/os/oom-kill.ts';

const constraint =
  'oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/engines,task_memcg=/engines/pool-0,task=llama-server,pid=4242,uid=990';
const killed =
  'Memory cgroup out of memory: Killed process 4242 (llama-server) total-vm:84516kB, anon-rss:65536kB, file-rss:4096kB, shmem-rss:0kB, UID:990 pgtables:200kB oom_score_adj:0';
const machineConstraint =
  'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/engines/pool-0,task=a,pid=1 b,pid=4242,uid=990';
const machine =
  'Out of memory: Killed process 4242 (VLLM::EngineCor) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:500';
const old = 'Killed process 4242 (python3) total-vm:9kB, anon-rss:8kB, file-rss:0kB, shmem-rss:1kB';

const at = (mono: number, ...texts: readonly string[]) => texts.map((text) => ({ mono, text }));
const pids = new Set([4242, 4243]);

describe('a kill for want of memory', () => {
  it('is told by two lines of the kernel, or by either', () => {
    const whole = {
      pid: 4242,
      comm: 'llama-server',
      scope: 'cgroup',
      cgroup: '/engines',
      anonBytes: 64 * 1024 * 1024,
      fileBytes: 4_194_304,
      shmemBytes: 0,
    };
    expect(oomKillOf(at(5_000, constraint, killed), pids, 4_000)).toEqual(whole);
    expect(oomKillOf(at(5_000, killed), pids, 4_000)).toEqual({ ...whole, cgroup: null });
    expect(oomKillOf(at(5_000, constraint), pids, 4_000)).toEqual({ ...whole, anonBytes: null, fileBytes: null, shmemBytes: null });
  });

  it('of the whole machine is told from one by the limit of a cgroup', () => {
    expect(oomKillOf(at(5_000, machine), pids, 4_000)).toMatchObject({ scope: 'machine', cgroup: null, comm: 'VLLM::EngineCor', anonBytes: 8_192 });
    expect(oomKillOf(at(5_000, old), pids, 4_000)).toMatchObject({ scope: null, anonBytes: 8_192, shmemBytes: 1_024 });
  });

  it('of another process, of an earlier one with this pid, or of a name that looks like one, is none', () => {
    expect(oomKillOf(at(5_000, constraint, killed), new Set([4243]), 4_000)).toBeNull();
    expect(oomKillOf(at(5_000, constraint, killed), pids, 10_000)).toBeNull();
    expect(oomKillOf(at(5_000, machineConstraint), pids, 4_000)).toBeNull();
    expect(oomKillOf([], pids, 0)).toBeNull();
  });

  it('counts where the clocks of kernel and daemon have drifted apart', () => {
    const month = 30 * 24 * 3_600_000;
    expect(oomKillOf(at(month - 1_000_000, killed), pids, month)).not.toBeNull();
  });

  it('is looked for only in lines that may tell it', () => {
    expect([constraint, killed, machine, old].every(isOomLine)).toBe(true);
    expect(isOomLine('usb 1-1: new device')).toBe(false);
  });
});
