/**
 * Which processes belong to a run that is a unit: those in its control group, which nobody leaves. Nothing need be recorded for
 * that, and nothing is.
 */
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { ProcStat } from '../../os/proc-stat.ts';
import type { Trees } from './descendants.ts';
import { controlGroupOf, processesIn } from './unit-cgroup.ts';

export interface UnitTreesDeps {
  readonly bootId: string;
  readonly cgroupRoot?: string;
}

export const unitTrees = ({ bootId, cgroupRoot }: UnitTreesDeps): Trees => {
  /** By incarnation, until the run is forgotten. */
  const seen = new Map<string, Set<number>>();

  const membersOf = async (run: RunRecord): Promise<readonly ProcStat[]> => {
    if (run.bootId !== bootId) return [];
    // A later run of the same unit has the same group and younger processes, but then this run has none.
    const members = processesIn(controlGroupOf(run), cgroupRoot).filter(({ startTime }) => startTime >= run.startTime);
    const pids = seen.get(run.incarnation) ?? new Set([run.pid]);
    for (const { pid } of members) pids.add(pid);
    seen.set(run.incarnation, pids);
    return members.toSorted((one, other) => Number(other.pid === run.pid) - Number(one.pid === run.pid));
  };

  return {
    membersOf,
    refresh: async (run) => {
      await membersOf(run);
    },
    rootEnded: () => undefined,
    pidsOf: (run) => [...(seen.get(run.incarnation) ?? [run.pid])],
    forget: async (run) => {
      seen.delete(run.incarnation);
    },
  };
};
