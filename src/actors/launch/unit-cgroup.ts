/**
 * The processes in a unit's control group, read where the kernel lists them: version 2, or systemd's own hierarchy beside
 * version 1. Nobody leaves a control group by itself, so this is the whole tree.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { isDead, isGone, type ProcStat, readAlive, readProcStat } from '../../os/proc-stat.ts';

const hierarchies = ['', 'systemd', 'unified'] as const;
/** `Slice=` of the unit; a dash in its name is a level. */
const slice = '/llama.slice/llama-engines.slice';

/** Living ones. `controlGroup`: below the root of its hierarchy. */
export const processesIn = (controlGroup: string, root = '/sys/fs/cgroup'): readonly ProcStat[] => {
  const pids = new Set(hierarchies.flatMap((hierarchy) => pidsIn(join(root, hierarchy, controlGroup, 'cgroup.procs'))));
  return [...pids].flatMap((pid) => {
    const found = readProcStat(pid);
    return found === null || isDead(found) ? [] : [found];
  });
};

/** As its main process says while it lives, which holds also where the slice was changed; else where the unit puts it. */
export const controlGroupOf = (run: RunRecord): string => {
  const own = readAlive(run) === null ? null : groupsOf(run.pid).find((group) => group.endsWith(`/${run.unit}`));
  return own ?? `${slice}/${run.unit}`;
};

/** Whether the process is in this unit; a pid alone could by now be anybody's. */
export const isInUnit = (pid: number, unit: string): boolean => groupsOf(pid).some((group) => group.endsWith(`/${unit}`));

/** The service of the system that this process belongs to; null: it runs in none, or in one of a user's own manager. */
export const ownService = (): string | null => {
  const group = groupsOf(process.pid).find((one) => one.endsWith('.service'));
  return group === undefined || group.includes('/user@') ? null : group.slice(group.lastIndexOf('/') + 1);
};

/** `0::/path`, or `1:name=systemd:/path`. */
const groupsOf = (pid: number): readonly string[] =>
  (readOrNull(`/proc/${pid}/cgroup`) ?? '').split('\n').flatMap((line) => /^\d+:(?:name=systemd)?:(.+)$/.exec(line)?.[1] ?? []);

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
