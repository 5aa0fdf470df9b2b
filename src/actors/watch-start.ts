/**
 * Says once that a loading engine shows no sign of progress for `stallMs`: its log does not grow, its tree neither computes
 * nor reads from disk, its VRAM does not grow. A slow load is not a stalled one.
 *
 * Undo: stops looking; the engine is not touched.
 */
import { stat } from 'node:fs/promises';
import { fromCallback } from 'xstate';
import { stamp } from '../clock.ts';
import type { EngineFact } from '../machines/events.ts';
import type { poolActors } from '../machines/pool/actors.ts';
import type { RunRecord } from '../machines/vocabulary.ts';
import { readAlive } from '../os/proc-stat.ts';
import type { Trees } from './launch/descendants.ts';

export interface WatchStartDeps {
  readonly trees: Trees;
  /** What the engine's processes hold on its GPUs, as last seen; null: not known. */
  readonly vramUsedBytes: ((run: RunRecord) => number | null) | null;
}

interface Signs {
  readonly mono: number;
  readonly logBytes: number;
  readonly cpuTicks: number;
  readonly majorFaults: number;
  readonly vramBytes: number;
}

const longestPauseMs = 1_000;
const looksPerStall = 5;
/** Linux counts CPU time in 1/100 s towards user space, on every architecture. */
const msPerTick = 10;
/** Being probed costs an engine some CPU too; that is no progress. */
const computingShare = 0.02;

export const watchStart = (deps: WatchStartDeps): typeof poolActors.watchStart =>
  fromCallback<{ type: 'watch.none' }, { readonly run: RunRecord; readonly stallMs: number }>(({ sendBack, input: { run, stallMs } }) => {
    let timer: NodeJS.Timeout | undefined;
    let stopped = false;

    const look = async (last: Signs, progressMono: number): Promise<void> => {
      const signs = await signsOf(run, deps);
      if (stopped) return;
      const movedMono = hasMoved(last, signs) ? signs.mono : progressMono;
      if (signs.mono - movedMono >= stallMs) sendBack(stalled(run, stallMs));
      else again(signs, movedMono);
    };
    const again = (last: Signs, progressMono: number): void => {
      timer = setTimeout(() => void look(last, progressMono), Math.min(longestPauseMs, stallMs / looksPerStall));
    };

    const begun = stamp().mono;
    again({ mono: begun, logBytes: 0, cpuTicks: 0, majorFaults: 0, vramBytes: 0 }, begun);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  });

/** What cannot be read now shows no progress now. Never rejects. */
const signsOf = async (run: RunRecord, { trees, vramUsedBytes }: WatchStartDeps): Promise<Signs> => {
  const members = await trees.membersOf(run).catch(() => []);
  // Who they are may be known from a shared look; what they do is asked now.
  const tree = members.flatMap((member) => readAlive(member) ?? []);
  return {
    mono: stamp().mono,
    logBytes: await stat(run.logFile).then(
      ({ size }) => size,
      () => 0,
    ),
    cpuTicks: tree.reduce((sum, { cpuTicks }) => sum + cpuTicks, 0),
    majorFaults: tree.reduce((sum, { majorFaults }) => sum + majorFaults, 0),
    vramBytes: vramUsedBytes?.(run) ?? 0,
  };
};

/** A log that shrank was cut; what follows counts again. */
const hasMoved = (last: Signs, now: Signs): boolean =>
  now.logBytes !== last.logBytes ||
  now.majorFaults > last.majorFaults ||
  now.vramBytes > last.vramBytes ||
  (now.cpuTicks - last.cpuTicks) * msPerTick > computingShare * (now.mono - last.mono);

const stalled = (run: RunRecord, stallMs: number): EngineFact => ({
  type: 'engine.stalled',
  cause: {
    code: 'start_stalled',
    message:
      `expected the engine (pid ${run.pid}) to load, found no output, no computing, no reading and no growing VRAM for ${stallMs} ms; ` +
      'timeouts.start_stall_ms changes this limit',
  },
  ...stamp(),
});
