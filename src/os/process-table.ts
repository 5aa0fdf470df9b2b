/**
 * One look at all processes of the machine, shared by all who ask, and which of them belong to one tree.
 *
 * A process belongs if it is the root or was recorded (each by its start time), is in a process group or session that one of
 * these keeps in being, or descends from any of them. A number alone never proves anything.
 */
import { readdir } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import { isDead, type ProcIdentity, type ProcStat, readProcStat } from './proc-stat.ts';

export type ProcessTable = ReadonlyMap<number, ProcStat>;

/** A table at most `maxAgeMs` old; 0: a look that begins after the call. */
export type LookAtProcesses = (maxAgeMs: number) => Promise<ProcessTable>;

export const sharedAgeMs = 500;
/** Files read between two breaths of the event loop, about a millisecond. */
const atOnce = 64;

export const processLooker = (): LookAtProcesses => {
  let last: { readonly table: ProcessTable; readonly begunMono: number } | null = null;
  let current: Promise<ProcessTable> | null = null;
  let next: Promise<ProcessTable> | null = null;

  const begin = (): Promise<ProcessTable> => {
    const begunMono = performance.now();
    current = scan()
      .then((table) => {
        last = { table, begunMono };
        return table;
      })
      .finally(() => {
        current = null;
      });
    return current;
  };
  const follow = (first: Promise<ProcessTable>): Promise<ProcessTable> => {
    next ??= first
      .catch(() => null)
      .then(() => {
        next = null;
        return current ?? begin();
      });
    return next;
  };

  return async (maxAgeMs) => {
    if (last !== null && performance.now() - last.begunMono < maxAgeMs) return last.table;
    if (current === null) return begin();
    return maxAgeMs > 0 ? current : follow(current);
  };
};

const scan = async (): Promise<ProcessTable> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const table = new Map<number, ProcStat>();
  for (const [index, pid] of pids.entries()) {
    const found = readProcStat(Number(pid));
    if (found !== null) table.set(found.pid, found);
    if (index % atOnce === atOnce - 1) await breathe();
  }
  return table;
};

export interface TreeQuery {
  readonly root: ProcIdentity;
  /** Descendants seen earlier; they may have been adopted by init since. */
  readonly recorded: readonly ProcIdentity[];
  /** The root was seen to end just now, so its group cannot be another's yet. */
  readonly groupIsOurs?: boolean;
}

/** Living members, the root first. Never this very process, nor init. */
export const treeOf = (table: ProcessTable, { root, recorded, groupIsOurs = false }: TreeQuery): readonly ProcStat[] => {
  const members = new Map<number, ProcStat>();
  const add = (found: ProcStat | null | undefined): void => {
    if (found != null && mayBelong(found)) members.set(found.pid, found);
  };
  for (const identity of [root, ...recorded]) add(aliveIn(table, identity));
  if (numberIsKept(table, root, groupIsOurs)) for (const found of table.values()) if (isIn(found, root.pid)) add(found);
  for (let before = -1; before !== members.size; ) {
    before = members.size;
    const groups = groupsKeptBy(members, root.pid);
    for (const found of table.values()) {
      if (members.has(found.ppid) || groups.has(found.pgrp) || groups.has(found.session)) add(found);
    }
  }
  return [...members.values()];
};

export const descendantsOf = (table: ProcessTable, root: ProcIdentity): readonly ProcStat[] =>
  treeOf(table, { root, recorded: [] }).filter(({ pid }) => pid !== root.pid);

const mayBelong = (found: ProcStat): boolean => found.pid > 1 && found.pid !== process.pid && !isDead(found);

const aliveIn = (table: ProcessTable, { pid, startTime }: ProcIdentity): ProcStat | null => {
  const found = table.get(pid);
  return found?.startTime === startTime ? found : null;
};

/** A zombie keeps its number; a number without a process is kept for the moment after the end. */
const numberIsKept = (table: ProcessTable, root: ProcIdentity, groupIsOurs: boolean): boolean => {
  const occupant = table.get(root.pid);
  return occupant === undefined ? groupIsOurs : occupant.startTime === root.startTime;
};

const isIn = ({ pgrp, session }: ProcStat, group: number): boolean => pgrp === group || session === group;

/** A number stays taken while anybody is in the group or session it names, so a member in it proves the others. */
const groupsKeptBy = (members: ReadonlyMap<number, ProcStat>, rootPid: number): ReadonlySet<number> => {
  const groups = new Set<number>();
  for (const { pgrp, session } of members.values()) {
    for (const group of [pgrp, session]) if (group === rootPid || members.has(group)) groups.add(group);
  }
  return groups;
};
