/**
 * Whether an engine that reads empty is empty. A slot is free before its answer has left the engine, and a request that has
 * just come is in no slot yet: only what has been empty for a while, at every look, may be ended.
 *
 * Remembers since when; asks nobody.
 */
import type { Probe } from './probe-once.ts';

/** Milliseconds; several looks, and much longer than an engine takes to write its last words to a socket. */
const quietMs = 300;

export interface Emptiness {
  /** False: it reads empty, and has not for long enough. `mono`: now. */
  isToldBy(probe: Probe, mono: number): boolean;
}

export const watchEmptiness = (): Emptiness => {
  let since: number | null = null;
  return {
    isToldBy: (probe, mono) => {
      const reads = probe.kind === 'passed' && probe.load.inFlight === 0;
      since = reads ? (since ?? mono) : null;
      return since === null || mono - since >= quietMs;
    },
  };
};
