/**
 * Feeds systemd's watchdog from the event loop: three times within the interval, and only while `isHealthy` says so. A loop that
 * is blocked feeds nothing, which is the point. What healthy means is the caller's.
 */
import type { Notifier } from './notify.ts';

export interface WatchdogOptions {
  readonly notifier: Pick<Notifier, 'watchdog'>;
  /** WATCHDOG_USEC; null: nobody watches, nothing is done. */
  readonly usec: number | null;
  /** Asked at each tick; must not wait for anything. */
  readonly isHealthy: () => boolean;
}

/** Begins at once; the returned function ends it. */
export const createWatchdog = ({ notifier, usec, isHealthy }: WatchdogOptions): (() => void) => {
  if (usec === null) return () => undefined;
  const tick = (): void => {
    if (isHealthy()) notifier.watchdog();
  };
  tick();
  const timer = setInterval(tick, usec / 3000);
  timer.unref();
  return () => clearInterval(timer);
};
