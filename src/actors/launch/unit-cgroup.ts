/**
 * The processes in a unit's control group, read where the kernel lists them: version 2, or systemd's own hierarchy beside
 * version 1. Nobody leaves a control group by itself, so this is the whole tree.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDead, isGone, type ProcIdentity, readProcStat } from '../../os/proc-stat.ts';

const hierarchies = ['', 'systemd', 'unified'] as const;

/** Living ones. `controlGroup`: as systemd names it. */
export const processesIn = (controlGroup: string, root = '/sys/fs/cgroup'): readonly ProcIdentity[] => {
  const pids = new Set(hierarchies.flatMap((hierarchy) => pidsIn(join(root, hierarchy, controlGroup, 'cgroup.procs'))));
  return [...pids].flatMap((pid) => {
    const found = readProcStat(pid);
    return found === null || isDead(found) ? [] : [{ pid, startTime: found.startTime }];
  });
};

/** Whether the process is in this unit; a pid alone could by now be anybody's. Null: it is gone. */
export const isInUnit = (pid: number, unit: string): boolean | null => {
  const text = readOrNull(`/proc/${pid}/cgroup`);
  return text === null ? null : text.split('\n').some((line) => line.endsWith(`/${unit}`));
};

const pidsIn = (file: string): readonly number[] => (readOrNull(file) ?? '').split('\n').filter(Boolean).map(Number);

/** ENODEV: the group was removed while it was being read. */
const readOrNull = (file: string): string | null => {
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    if (isGone(thrown) || (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENODEV')) return null;
    throw thrown;
  }
};
