/**
 * Says that an engine ended as soon as it has, and then why and what it said last; meanwhile keeps its descendants on record, at
 * each health interval, and at every fourth once they stay the same.
 *
 * Says each once, also for one that had ended before. Undo: stops watching; the engine is not touched.
 */
import { fromCallback } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { poolActors } from '../machines/pool/actors.ts';
import type { Cause, RunRecord } from '../machines/vocabulary.ts';
import { type ReadKernelLog, readKernelLog } from '../os/kernel-log.ts';
import type { Trees } from './launch/descendants.ts';
import { endingOf } from './launch/ending.ts';
import type { Launcher } from './launcher.ts';
import type { PauseTogether } from './pause-together.ts';

export interface WatchEngineDeps {
  readonly launcher: Launcher;
  readonly trees: Trees;
  /** The record of its descendants could not be stored; watching goes on. */
  readonly onTrouble: (run: RunRecord, cause: Cause) => void;
  readonly readKernelLog?: ReadKernelLog;
  /** One for all engines: looks at the same time are one look at the processes of the machine. */
  readonly together: PauseTogether;
}

const shortestIntervalMs = 500;
/** A look reads of every process of the machine. Engines start theirs as they begin; what comes later and escapes is known by its FIFO. */
const mostIntervals = 4;

export const watchEngine = (deps: WatchEngineDeps): typeof poolActors.watchEngine =>
  fromCallback<{ type: 'watch.none' }, { readonly run: RunRecord }>(({ sendBack, input: { run } }) => {
    let stopped = false;
    const stopKeeping = keepDescendants(run, deps);
    const stopWatching = deps.launcher.watch(run, (exit) => {
      stopKeeping();
      // Of both: when it was seen, not when it was understood.
      const seen = stamp();
      sendBack({ type: 'engine.gone', exit, ...seen });
      void endingOf(run, exit, { pids: deps.trees.pidsOf(run), readKernelLog: deps.readKernelLog ?? readKernelLog }).then((ending) => {
        if (!stopped) sendBack({ type: 'engine.exited', exit, ...ending, ...seen });
      });
    });
    return () => {
      stopped = true;
      stopWatching();
      stopKeeping();
    };
  });

const keepDescendants = (run: RunRecord, { trees, onTrouble, together }: WatchEngineDeps): (() => void) => {
  const stopped = new AbortController();
  const intervalMs = Math.max(shortestIntervalMs, run.spec.health.interval_ms);
  const keep = async (): Promise<void> => {
    for (let intervals = 1; !stopped.signal.aborted; ) {
      const before = trees.pidsOf(run).length;
      await trees.refresh(run).catch((thrown: unknown) => onTrouble(run, causeOf(thrown, 'state_store_failed')));
      intervals = trees.pidsOf(run).length === before ? Math.min(mostIntervals, intervals + 1) : 1;
      await together(intervals * intervalMs, stopped.signal);
    }
  };
  void keep();
  return () => stopped.abort();
};
