/**
 * The launcher without a service manager: an engine in its own session and process group, output to a file, exit seen as its
 * parent or, after a restart of the daemon, through its FIFO.
 *
 * Nothing of an engine ends with the daemon. Engines share the daemon's cgroup, so none is ever killed by cgroup.
 */
import { closeSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import { stamp } from '../../clock.ts';
import type { LaunchPlan } from '../../engines/adapter.ts';
import type { EngineExit, RunRecord } from '../../machines/vocabulary.ts';
import { pinTo } from '../../os/affinity.ts';
import { readAlive, readProcStat, sameProcess } from '../../os/proc-stat.ts';
import { engineMissing, whyNotExecutable } from '../../provisioning/engines/on-machine.ts';
import type { Shelf } from '../../state/store.ts';
import type { Launcher, RunFacts, StopOptions, StopOutcome } from '../launcher.ts';
import type { Trees } from './descendants.ts';
import { endTree } from './end-tree.ts';
import { exitFifoOf, makeExitFifo, removeExitFifo } from './exit-fifo.ts';
import { type Gate, startGate } from './gate.ts';
import { watchExit } from './watch-exit.ts';

export interface DetachedLauncherDeps {
  /** FIFOs go to its `exits/`. */
  readonly stateDir: string;
  readonly runs: Shelf<RunRecord>;
  readonly trees: Trees;
  readonly bootId: string;
}

interface Child {
  readonly exited: Promise<EngineExit>;
  exit: EngineExit | null;
}

/** How long the kernel may take to tell a parent what is dead already. */
const reapMs = 1_000;
const unknownExit: EngineExit = { code: null, signal: null };

export const detachedLauncher = ({ stateDir, runs, trees, bootId }: DetachedLauncherDeps): Launcher => {
  /** Engines that this process started, by incarnation, until they are forgotten. */
  const children = new Map<string, Child>();
  const stopping = new Map<string, Promise<StopOutcome>>();

  const start = async (plan: LaunchPlan, facts: RunFacts): Promise<RunRecord> => {
    const problem = await whyNotExecutable(plan.executable);
    if (problem !== null) throw new CauseError(engineMissing(plan.executable, problem));
    const exitFifo = exitFifoOf(stateDir, facts.poolId, facts.incarnation);
    try {
      const gate = await startBehindFifo(plan, facts.logFile, exitFifo);
      const run = await recordOrClose(gate, facts, exitFifo, runs);
      children.set(
        run.incarnation,
        childOf(gate, () => trees.rootEnded(run)),
      );
      // The engine is what the gate becomes, and keeps this.
      // A log without this line is no reason to leave it at its gate.
      if (plan.cpus !== undefined && !pinTo(gate.pid, plan.cpus)) await appendFile(facts.logFile, notPinned(plan.cpus)).catch(() => undefined);
      gate.open();
      return run;
    } catch (thrown) {
      await removeExitFifo(exitFifo);
      throw thrown;
    }
  };

  const watch = (run: RunRecord, onExit: (exit: EngineExit) => void): (() => void) => {
    const child = children.get(run.incarnation);
    let stopped = false;
    const tell = (exit: EngineExit): void => {
      if (!stopped) onExit(exit);
    };
    if (child !== undefined) {
      child.exited.then(tell);
      return () => {
        stopped = true;
      };
    }
    return watchExit(run, run.exitFifo, () => {
      trees.rootEnded(run);
      tell(unknownExit);
    });
  };

  const end = async (run: RunRecord, options: StopOptions): Promise<StopOutcome> => {
    const ended = await endTree(run, options, trees);
    return { ...ended, exit: ended.survivors.includes(run.pid) ? null : await exitOf(children.get(run.incarnation)) };
  };

  return {
    name: 'detached',
    start,
    watch,
    stop: (run, options) => {
      const current = stopping.get(run.incarnation) ?? end(run, options).finally(() => stopping.delete(run.incarnation));
      stopping.set(run.incarnation, current);
      return current;
    },
    identify: async (run) => {
      if (run.bootId !== bootId) return 'gone';
      const found = readAlive(run);
      // All of ours lead a session, and a process cannot cease to.
      if (found !== null) return found.session === run.pid && run.pid !== process.pid ? 'ours' : 'stranger';
      if ((await trees.membersOf(run, 'now')).length > 0) return 'gone';
      const occupant = readProcStat(run.pid);
      return occupant === null || sameProcess(occupant, run) ? 'gone' : 'stranger';
    },
    forget: async (run) => {
      children.delete(run.incarnation);
      if (run.exitFifo !== null) await removeExitFifo(run.exitFifo);
    },
  };
};

/** Where the words of engines are, since it is this engine's. */
const notPinned = (cpus: readonly number[]): string => `pool-managerd: cannot be put on CPUs ${cpus.join(', ')}, and runs on all\n`;

const startBehindFifo = async (plan: LaunchPlan, log: string, exitFifo: string): Promise<Gate> => {
  const { writeEnd } = await makeExitFifo(exitFifo);
  try {
    return await startGate(plan, { log, fifoWriteEnd: writeEnd });
  } finally {
    closeSync(writeEnd);
  }
};

/** The record first, whole and on disk; without it no engine. */
const recordOrClose = async (gate: Gate, facts: RunFacts, exitFifo: string, runs: Shelf<RunRecord>): Promise<RunRecord> => {
  try {
    const found = readProcStat(gate.pid);
    if (found === null) throw new CauseError({ code: 'engine_exited', message: 'the engine ended before it had begun' });
    const { at, mono } = stamp();
    const run: RunRecord = {
      ...facts,
      launcher: 'detached',
      pid: gate.pid,
      startTime: found.startTime,
      unit: null,
      invocationId: null,
      exitFifo,
      startedAt: at,
      startedMono: mono,
    };
    await runs.write(run.poolId, run);
    return run;
  } catch (thrown) {
    await gate.close();
    // A write that failed may have left the record all the same; one that stays names a process that is gone.
    await runs.remove(facts.poolId).catch(() => undefined);
    throw thrown;
  }
};

/** The tree hears of it first, so that whoever is told of the exit finds what is left. */
const childOf = (gate: Gate, onExit: () => void): Child => {
  const child: Child = {
    exit: null,
    exited: gate.exited.then((exit) => {
      child.exit = exit;
      onExit();
      return exit;
    }),
  };
  return child;
};

const exitOf = async (child: Child | undefined): Promise<EngineExit> => {
  if (child === undefined) return unknownExit;
  return child.exit ?? Promise.race([child.exited, wait(reapMs, unknownExit, { ref: false })]);
};
