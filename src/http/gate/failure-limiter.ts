/**
 * Counts wrong credentials by address: ten a minute, then no more are looked at until the minute is over.
 *
 * Right ones are never counted. An address that has been right before, and loopback, where everybody shares one address,
 * are never shut out: a neighbour with a wrong token must not take the control plane's access away. Knows no tokens.
 */
import { isLoopbackHost } from '../../loopback.ts';

export interface FailureLimiter {
  /** Milliseconds until credentials from this address are looked at again; 0: now. */
  shutOutFor(address: string): number;
  /** Milliseconds to wait before the next try when there were too many in this minute, else 0. */
  failed(address: string): number;
  succeeded(address: string): void;
}

interface Tally {
  failures: number;
  windowEnds: number;
}

const windowMs = 60_000;
const mostFailures = 10;
const mostAddresses = 1024;

export const createFailureLimiter = (now: () => number): FailureLimiter => {
  const tallies = new Map<string, Tally>();
  const trusted = new Set<string>();
  const openTally = (address: string): Tally => {
    const current = tallies.get(address);
    if (current !== undefined && current.windowEnds > now()) return current;
    tallies.delete(address);
    if (tallies.size >= mostAddresses) dropOldest(tallies);
    const fresh = { failures: 0, windowEnds: now() + windowMs };
    tallies.set(address, fresh);
    return fresh;
  };
  return {
    shutOutFor: (address) => {
      const tally = tallies.get(address);
      if (tally === undefined || tally.failures < mostFailures || trusted.has(address) || isLoopbackPeer(address)) return 0;
      return Math.max(0, tally.windowEnds - now());
    },
    failed: (address) => {
      const tally = openTally(address);
      tally.failures += 1;
      return tally.failures > mostFailures ? tally.windowEnds - now() : 0;
    },
    succeeded: (address) => {
      if (trusted.has(address)) return;
      if (trusted.size >= mostAddresses) dropOldest(trusted);
      trusted.add(address);
    },
  };
};

const isLoopbackPeer = (address: string): boolean => isLoopbackHost(address.replace(/^::ffff:/i, ''));

/** Maps and sets are in the order of insertion. */
const dropOldest = (entries: { keys(): Iterator<string>; delete(key: string): boolean }): void => {
  const oldest = entries.keys().next();
  if (!oldest.done) entries.delete(oldest.value);
};
