/**
 * Signals, each right after a look that proves whom it reaches. The only place that sends any to an engine.
 *
 * Never to a pid alone, never to init, never to this process or its group, whatever a record says.
 */
import { type ProcIdentity, readAlive, readProcStat } from '../../os/proc-stat.ts';

/** False: it is not there any more, or not ours to signal. */
export const signalProcess = (identity: ProcIdentity, signal: NodeJS.Signals): boolean => {
  if (!mayBeSignalled(identity.pid) || readAlive(identity) === null) return false;
  return send(identity.pid, signal);
};

/** To the group that the process leads. */
export const signalGroup = (leader: ProcIdentity, signal: NodeJS.Signals): boolean => {
  if (!mayBeSignalled(leader.pid)) return false;
  const found = readAlive(leader);
  if (found === null || found.pgrp !== leader.pid || found.pgrp === readProcStat(process.pid)?.pgrp) return false;
  return send(-leader.pid, signal);
};

const mayBeSignalled = (pid: number): boolean => Number.isSafeInteger(pid) && pid > 1 && pid !== process.pid;

/** One that ended in between needs none; one of another user stays, and is reported as a survivor. */
const send = (target: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(target, signal);
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ESRCH' || thrown.code === 'EPERM')) return false;
    throw thrown;
  }
};
