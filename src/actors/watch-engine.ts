/**
 * Says that an engine ended, how, and what it said last; meanwhile keeps its descendants on record, at each health interval.
 *
 * Says it once, also for one that had ended before. Undo: stops watching; the engine is not touched.
 */
import { fromCallback } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import { adapterFor } from '../engines/index.ts';
import type { EngineFact } from '../machines/events.ts';
import type { poolActors } from '../machines/pool/actors.ts';
import type { Cause, EngineExit, RunRecord } from '../machines/vocabulary.ts';
import type { Trees } from './launch/descendants.ts';
import { whyNotBegun } from './launch/executable.ts';
import { readLogTail } from './launch/log-tail.ts';
import type { Launcher } from './launcher.ts';

export interface WatchEngineDeps {
  readonly launcher: Launcher;
  readonly trees: Trees;
  /** The record of its descendants could not be stored; watching goes on. */
  readonly onTrouble: (run: RunRecord, cause: Cause) => void;
}

const tailLines = 50;
const shortestIntervalMs = 500;

export const watchEngine = (deps: WatchEngineDeps): typeof poolActors.watchEngine =>
  fromCallback<{ type: 'watch.none' }, { readonly run: RunRecord }>(({ sendBack, input: { run } }) => {
    let stopped = false;
    const stopKeeping = keepDescendants(run, deps);
    const stopWatching = deps.launcher.watch(run, (exit) => {
      stopKeeping();
      void exitedFact(run, exit).then((fact) => {
        if (!stopped) sendBack(fact);
      });
    });
    return () => {
      stopped = true;
      stopWatching();
      stopKeeping();
    };
  });

const keepDescendants = (run: RunRecord, { trees, onTrouble }: WatchEngineDeps): (() => void) => {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const keep = async (): Promise<void> => {
    await trees.refresh(run).catch((thrown: unknown) => onTrouble(run, causeOf(thrown, 'state_store_failed')));
    if (!stopped) timer = setTimeout(() => void keep(), Math.max(shortestIntervalMs, run.spec.health.interval_ms));
  };
  void keep();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
};

const exitedFact = async (run: RunRecord, exit: EngineExit): Promise<EngineFact> => {
  const { at, mono } = stamp();
  const tail = await readLogTail(run.logFile, tailLines);
  return { type: 'engine.exited', exit, cause: causeOfExit(run, exit, tail), tail, at, mono };
};

const causeOfExit = (run: RunRecord, exit: EngineExit, tail: readonly string[]): Cause => {
  const executable = run.spec.provisioning.mode === 'external' ? run.spec.provisioning.executable : null;
  const notBegun = whyNotBegun(exit, tail, executable ?? run.engine);
  if (notBegun !== null) return notBegun;
  const adapter = adapterFor(run.engine);
  return isCause(adapter) ? adapter : adapter.classifyExit(exit, tail);
};
