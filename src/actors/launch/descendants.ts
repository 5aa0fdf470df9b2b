/**
 * Which processes belong to a run, across a crash of its root and a restart of the daemon: what was seen of its tree is kept in
 * memory and in `<state>/trees/<pool>.json`.
 *
 * A record of another boot has no processes, whatever its numbers say. Sends no signals.
 */
import type { RunRecord } from '../../machines/vocabulary.ts';
import type { ProcIdentity, ProcStat } from '../../os/proc-stat.ts';
import type { LookAtProcesses, ProcessTable } from '../../os/process-table.ts';
import { sharedAgeMs, treeOf } from '../../os/process-table.ts';
import type { Shelf, TreeRecord } from '../../state/store.ts';
import { holdersOf } from './exit-fifo.ts';

export interface Trees {
  /** Its living processes, the root first. `now`: a look that begins after the call, not a shared one. */
  membersOf(run: RunRecord, when?: 'now' | 'lately'): Promise<readonly ProcStat[]>;
  /** Looks, and stores what changed. Throws CauseError when it cannot be stored. */
  refresh(run: RunRecord): Promise<void>;
  /** The root was seen to end at this moment: nobody else can have its group yet. */
  rootEnded(run: RunRecord): void;
  /** Every pid that is or was of the run's tree, dead ones too; also for a while after `forget`. */
  pidsOf(run: RunRecord): readonly number[];
  /** Drops the file. What is under way is waited for, so that it does not come back. */
  forget(run: RunRecord): Promise<void>;
}

export interface TreesDeps {
  readonly look: LookAtProcesses;
  readonly shelf: Shelf<TreeRecord>;
  readonly bootId: string;
}

/** Far below the time in which pids wrap around. */
const groupTrustMs = 1_000;
const mostRecorded = 4_096;

interface Known {
  readonly incarnation: string;
  recorded: readonly ProcIdentity[];
  readonly pids: Set<number>;
  forgotten: boolean;
  stored: string;
  writing: Promise<void>;
}

export const trees = ({ look, shelf, bootId }: TreesDeps): Trees => {
  /** One per pool: that of its latest incarnation. */
  const byPool = new Map<string, Known>();
  /** Incarnation → when its root was seen to end. */
  const ended = new Map<string, number>();

  const knownOf = async (run: RunRecord): Promise<Known> => {
    const known = byPool.get(run.poolId);
    if (known?.incarnation === run.incarnation) return known;
    const recorded = await readRecorded(shelf, run);
    const meanwhile = byPool.get(run.poolId);
    if (meanwhile?.incarnation === run.incarnation) return meanwhile;
    const fresh = newKnown(run, recorded);
    byPool.set(run.poolId, fresh);
    return fresh;
  };

  /** Once the root is gone, who still holds its FIFO is of its tree too, though it had left every group and parent. */
  const lookUp = (run: RunRecord, { recorded }: Known, table: ProcessTable): readonly ProcStat[] => {
    const groupIsOurs = performance.now() - (ended.get(run.incarnation) ?? Number.NEGATIVE_INFINITY) < groupTrustMs;
    const members = treeOf(table, { root: run, recorded, groupIsOurs });
    if (run.exitFifo === null || members.some(({ pid }) => pid === run.pid)) return members;
    const others = table.values().filter(({ pid, startTime }) => startTime >= run.startTime && !members.some((member) => member.pid === pid));
    const escaped = holdersOf(run.exitFifo, others);
    return escaped.length === 0 ? members : treeOf(table, { root: run, recorded: [...recorded, ...escaped], groupIsOurs });
  };

  const membersOf: Trees['membersOf'] = async (run, when = 'lately') => {
    if (run.bootId !== bootId) return [];
    const known = await knownOf(run);
    const table = await look(when === 'now' ? 0 : sharedAgeMs);
    const members = lookUp(run, known, table);
    known.recorded = members
      .filter(({ pid }) => pid !== run.pid)
      .map(({ pid, startTime }) => ({ pid, startTime }))
      .slice(0, mostRecorded);
    for (const { pid } of members) known.pids.add(pid);
    return members;
  };

  return {
    membersOf,
    refresh: async (run) => {
      await membersOf(run);
      const known = await knownOf(run);
      known.writing = known.writing.catch(() => undefined).then(() => store(shelf, run, known));
      await known.writing;
    },
    rootEnded: (run) => {
      const now = performance.now();
      for (const [incarnation, mono] of ended) if (now - mono > groupTrustMs) ended.delete(incarnation);
      ended.set(run.incarnation, now);
    },
    pidsOf: (run) => {
      const known = byPool.get(run.poolId);
      return [run.pid, ...(known?.incarnation === run.incarnation ? known.pids : [])];
    },
    forget: async (run) => {
      const known = await knownOf(run);
      known.forgotten = true;
      await known.writing.catch(() => undefined);
      const file = await shelf.read(run.poolId).catch(() => null);
      if (file === null || file.incarnation === run.incarnation) await shelf.remove(run.poolId);
    },
  };
};

const newKnown = (run: RunRecord, recorded: readonly ProcIdentity[]): Known => ({
  incarnation: run.incarnation,
  recorded,
  pids: new Set(recorded.map(({ pid }) => pid)),
  forgotten: false,
  stored: JSON.stringify(recorded),
  writing: Promise.resolve(),
});

/** A file that cannot be read is set aside by its shelf; the root, its group and its FIFO still tell most of the tree. */
const readRecorded = async (shelf: Shelf<TreeRecord>, run: RunRecord): Promise<readonly ProcIdentity[]> => {
  const file = await shelf.read(run.poolId).catch(() => null);
  return file?.incarnation === run.incarnation ? file.descendants : [];
};

const store = async (shelf: Shelf<TreeRecord>, run: RunRecord, known: Known): Promise<void> => {
  const text = JSON.stringify(known.recorded);
  if (known.forgotten || text === known.stored) return;
  await shelf.write(run.poolId, { version: 1, poolId: run.poolId, incarnation: run.incarnation, descendants: known.recorded });
  known.stored = text;
};
