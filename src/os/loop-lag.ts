/**
 * Whether the event loop stood still of late: measured by Node itself, looked at now and then and whenever somebody asks.
 *
 * A process that was stopped, or whose machine slept, stood still too. What follows from it is for others to say.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopLag {
  /** Milliseconds that it stood still at a time, where that was more than the limit and not long ago; else null. */
  stood(): number | null;
  stop(): void;
}

export interface LoopLagOptions {
  /** What is counted as standing still. */
  readonly limitMs: number;
  /** How long it is told of. */
  readonly toldForMs: number;
}

/** Exact enough for limits of a second, and ten wakings a second without any of our code. */
const resolutionMs = 100;

export const watchLoopLag = ({ limitMs, toldForMs }: LoopLagOptions): LoopLag => {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  let last: { readonly ms: number; readonly seen: number } | null = null;
  const look = (): void => {
    const ms = delays.max / 1e6 - resolutionMs;
    if (ms <= limitMs) return;
    last = { ms, seen: performance.now() };
    delays.reset();
  };
  const timer = setInterval(look, toldForMs).unref();
  return {
    stood: () => {
      look();
      return last === null || performance.now() - last.seen > toldForMs ? null : Math.round(last.ms);
    },
    stop: () => {
      clearInterval(timer);
      delays.disable();
    },
  };
};
