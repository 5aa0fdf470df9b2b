/** Where the daemon reaches a run's engine: always the address it listens on, which for all interfaces is loopback. */
import { isIPv6 } from 'node:net';
import type { RunRecord } from '../../machines/vocabulary.ts';

export const probeEndpoint = ({ host, port }: RunRecord): string => {
  const bare = host.replace(/^\[|\]$/g, '');
  const reached = bare === '0.0.0.0' ? '127.0.0.1' : bare === '::' ? '::1' : bare;
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
};

/** Somebody else's engine, known by its handoff: it has no boot id of ours, no log and no process to look at. */
export const isAttached = (run: RunRecord): boolean => run.bootId === '';
