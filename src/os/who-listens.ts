/**
 * Which process listens on a port, for a person to know: the sockets of the port against the open files of all processes. Costly, so
 * it is asked only where something has failed by it.
 */
import { readdir } from 'node:fs/promises';
import { setImmediate as breathe } from 'node:timers/promises';
import { readListeners } from './listeners.ts';
import { fdsOf } from './proc-fds.ts';
import { readProcStat } from './proc-stat.ts';

/** Null: nobody does, or it is not ours to see. */
export const whoListens = async (port: number): Promise<{ readonly pid: number; readonly comm: string } | null> => {
  const sockets = new Set(
    readListeners()
      .filter((one) => one.port === port)
      .map(({ inode }) => `socket:[${inode}]`),
  );
  if (sockets.size === 0) return null;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fds = fdsOf(Number(name));
    const found = fds === 'denied' || !fds.some(({ link }) => sockets.has(link)) ? null : readProcStat(Number(name));
    if (found !== null) return { pid: found.pid, comm: found.comm };
    // The files of one process are a millisecond and less; the daemon has others to answer.
    await breathe();
  }
  return null;
};
