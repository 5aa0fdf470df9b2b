/**
 * Who listens on the port of a run that is a unit. The files of another user's process are not to be seen, so the kernel is
 * asked for the socket's control group, by `ss`; where it tells none, the owner of the socket has to be the engines' user.
 *
 * Asked at every probe, so what was proven is kept by the sockets' inodes.
 */
import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { helper } from '../../os/helper.ts';
import type { Owner } from '../../os/listener-owner.ts';
import { reaches, readListeners } from '../../os/listeners.ts';
import { isAlive } from '../../os/proc-stat.ts';

export interface Socket {
  readonly inode: string;
  readonly uid: number;
  /** Null: this kernel does not tell. */
  readonly controlGroup: string | null;
}

/** Null: they could not be listed. */
export type ListSockets = (port: number) => Promise<readonly Socket[] | null>;

const mostKnown = 1024;

export const unitListenerOwner = (list: ListSockets = listBySs): ((run: RunRecord) => Promise<Owner>) => {
  /** Incarnation → the inodes that were proven to be its sockets. */
  const known = new Map<string, ReadonlySet<string>>();

  return async (run) => {
    const inodes = readListeners()
      .filter((one) => one.port === run.port && reaches(one, run.host))
      .map(({ inode }) => inode);
    if (inodes.length === 0) return 'none';
    const proven = known.get(run.incarnation);
    if (proven !== undefined && inodes.every((inode) => proven.has(inode)) && isAlive(run)) return 'ours';
    const owner = judge(run, inodes, await list(run.port), await uidOf(run));
    if (known.size >= mostKnown) known.clear();
    if (owner === 'ours') known.set(run.incarnation, new Set(inodes));
    return owner;
  };
};

const judge = (run: RunRecord, inodes: readonly string[], sockets: readonly Socket[] | null, uid: number | null): Owner => {
  if (sockets === null || uid === null) return 'unknown';
  const judged = inodes.map((inode) => {
    const socket = sockets.find((one) => one.inode === inode);
    if (socket === undefined) return null;
    return socket.controlGroup === null ? socket.uid === uid : socket.controlGroup.endsWith(`/${run.unit}`);
  });
  if (judged.includes(false)) return 'foreign';
  return judged.includes(null) ? 'unknown' : 'ours';
};

/** Null: it is gone. */
const uidOf = async (run: RunRecord): Promise<number | null> => {
  if (!isAlive(run)) return null;
  return stat(`/proc/${run.pid}`).then(
    ({ uid }) => uid,
    () => null,
  );
};

const withinMs = 2_000;
const mostOutputBytes = 1024 * 1024;

const listBySs: ListSockets = (port) =>
  new Promise((resolve) => {
    const { file, argv } = helper('ss', ['-H', '--listening', '--tcp', '--numeric', '--extended', '--cgroup', `sport = :${port}`]);
    const options = {
      timeout: withinMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: mostOutputBytes,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    };
    execFile(file, argv, options, (error, stdout) => resolve(error === null ? parseSockets(stdout) : null));
  });

/** `… uid:994 ino:12345 sk:1 cgroup:/llama-engines.slice/llama-engine@pool-0.service <->`; root's sockets have no uid. */
export const parseSockets = (text: string): readonly Socket[] =>
  text.split('\n').flatMap((line) => {
    const inode = /\sino:(\d+)/.exec(line)?.[1];
    if (inode === undefined) return [];
    return [{ inode, uid: Number(/\suid:(\d+)/.exec(line)?.[1] ?? 0), controlGroup: /\scgroup:(\S+)/.exec(line)?.[1] ?? null }];
  });
