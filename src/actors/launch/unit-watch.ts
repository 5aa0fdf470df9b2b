/**
 * Says once that the run of a unit has ended: at the unit's own word, which a directory watch brings within milliseconds, or
 * when the main process is gone and that word has not come. Asks /proc each second; never systemd.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { EngineExit, RunRecord } from '../../machines/vocabulary.ts';
import { isAlive } from '../../os/proc-stat.ts';
import { endedFileName, type UnitFiles } from './unit-files.ts';

const lookEveryMs = 1_000;
/** From the end of the main process to the end of ExecStop= and ExecStopPost=. Their scripts take some ten milliseconds. */
const wordWithinMs = 3_000;

/** The returned function stops watching and touches nothing. */
export const watchUnit = (run: RunRecord, files: UnitFiles, onExit: (exit: EngineExit) => void): (() => void) => {
  let [over, missingSince]: [boolean, number | null] = [false, null];

  const end = (exit: EngineExit): void => {
    if (over) return;
    stop();
    onExit(exit);
  };
  const look = async (): Promise<void> => {
    const ended = await files.ended(run.poolId).catch(() => null);
    if (ended !== null && ended.invocationId === run.invocationId) return end(ended.exit);
    if (isAlive(run)) return;
    missingSince ??= performance.now();
    if (performance.now() - missingSince >= wordWithinMs) end({ code: null, signal: null });
  };

  const hint = watchDir(files.dirOf(run.poolId), (name) => {
    if (name === endedFileName || name === null) void look();
  });
  const timer = setInterval(() => void look(), lookEveryMs);
  timer.unref();
  const stop = (): void => {
    over = true;
    clearInterval(timer);
    hint?.close();
  };
  void look();
  return stop;
};

/** Null where it cannot be watched: then the look each second is all there is. */
const watchDir = (dir: string, onName: (name: string | null) => void): FSWatcher | null => {
  try {
    const watcher = watch(dir, { persistent: false }, (_, name) => onName(name));
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
};
