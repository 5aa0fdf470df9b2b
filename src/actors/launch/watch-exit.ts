/**
 * Sees the end of an engine that is not our child: the end of its FIFO says when to look, its identity says whether it ended.
 *
 * Once a second it is looked at anyway, since a grandchild may hold the FIFO open and an engine may close it. Calls back once;
 * the returned function stops watching. Exit code and signal are its parent's to know.
 */
import { isAlive, type ProcIdentity } from '../../os/proc-stat.ts';
import { watchExitFifo } from './exit-fifo.ts';

const lookEveryMs = 1_000;
/** A process closes its files a moment before it is dead. */
const dyingForMs = 250;

export const watchExit = (process: ProcIdentity, fifo: string | null, onExit: () => void): (() => void) => {
  let stopWatchingFifo: (() => void) | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
    stopWatchingFifo?.();
  };
  const look = (againMs: number, closingMs: number): void => {
    if (stopped) return;
    if (!isAlive(process)) {
      stop();
      onExit();
      return;
    }
    clearTimeout(timer);
    const isDying = closingMs > 0;
    timer = setTimeout(() => look(isDying ? againMs * 2 : lookEveryMs, isDying ? closingMs - againMs : 0), againMs);
    timer.unref();
  };

  stopWatchingFifo = fifo === null ? null : watchExitFifo(fifo, () => look(1, dyingForMs));
  // After opening: a FIFO whose writer had already gone says nothing.
  timer = setTimeout(() => look(lookEveryMs, 0));
  return stop;
};
