/**
 * Who listens on a run's port: the socket's inode against the open files of the run's tree. Asked at every probe, so the last
 * proof is kept and only checked again.
 *
 * Ours means every listener that clients may reach; one stranger beside us (SO_REUSEPORT) is foreign.
 */

import { type Listener, reaches, readListeners } from './listeners.ts';
import { fdOf, fdsOf } from './proc-fds.ts';
import { isAlive, type ProcIdentity, readAlive } from './proc-stat.ts';

/** What is needed of a run record. */
export interface ListeningRun extends ProcIdentity {
  readonly incarnation: string;
  readonly host: string;
  readonly port: number;
}

export type Owner = 'ours' | 'foreign' | 'none' | 'unknown';

interface Known extends ProcIdentity {
  readonly inode: string;
  readonly fd: number;
}

/** Proofs kept; more runs than that are only asked more slowly. */
const mostKnown = 1024;
/** While a proven process holds its socket nobody else can have the port, but one that shares it by SO_REUSEPORT. */
const provenAgeMs = 2_000;

export const listenerOwner = <Run extends ListeningRun>(treeOf: (run: Run) => Promise<readonly ProcIdentity[]>): ((run: Run) => Promise<Owner>) => {
  const known = new Map<string, readonly Known[]>();
  let last: { readonly mono: number; readonly listeners: readonly Listener[] } | null = null;

  /** Those that reach the run, from a look at most that old. */
  const listenersOf = ({ port, host }: Run, maxAgeMs: number): readonly Listener[] => {
    if (last === null || performance.now() - last.mono > maxAgeMs) last = { mono: performance.now(), listeners: readListeners() };
    return last.listeners.filter((one) => one.port === port && reaches(one, host));
  };

  const prove = async (run: Run, listeners: readonly Listener[]): Promise<Owner> => {
    const tree = await treeOf(run);
    const { proven, denied } = holdersOf(listeners, tree);
    known.delete(run.incarnation);
    if (proven.length < listeners.length) {
      // The socket of a process that ends is nobody's until its last thread has gone, which may take long; a stranger's stays.
      const ending = tree.some(isEnding);
      const left = listenersOf(run, 0);
      if (left.length === 0) return 'none';
      if (left.some(({ inode }) => !proven.some((proof) => proof.inode === inode))) return ending ? 'none' : denied ? 'unknown' : 'foreign';
    }
    for (const oldest of known.keys()) {
      if (known.size < mostKnown) break;
      known.delete(oldest);
    }
    known.set(run.incarnation, proven);
    return 'ours';
  };

  const isProven = (run: Run, listeners: readonly Listener[]): boolean => {
    const proofs = known.get(run.incarnation) ?? [];
    return listeners.length > 0 && listeners.every(({ inode }) => proofs.some((proof) => proof.inode === inode && stillHolds(proof)));
  };

  return async (run) => {
    if (isProven(run, listenersOf(run, provenAgeMs))) return 'ours';
    const listeners = listenersOf(run, 0);
    return listeners.length === 0 ? 'none' : prove(run, listeners);
  };
};

/** One that has gone since is not: its sockets have gone before it. */
const isEnding = (identity: ProcIdentity): boolean => readAlive(identity)?.exiting === true;

const stillHolds = (proof: Known): boolean => fdOf(proof.pid, proof.fd)?.link === linkOf(proof.inode) && isAlive(proof);

const holdersOf = (
  listeners: readonly Listener[],
  tree: readonly ProcIdentity[],
): { readonly proven: readonly Known[]; readonly denied: boolean } => {
  const proven = new Map<string, Known>();
  let denied = false;
  for (const { pid, startTime } of tree) {
    const fds = fdsOf(pid);
    if (fds === 'denied') denied = true;
    else {
      for (const { inode } of listeners) {
        const found = fds.find(({ link }) => link === linkOf(inode));
        if (found !== undefined) proven.set(inode, { inode, pid, startTime, fd: found.fd });
      }
    }
  }
  return { proven: [...proven.values()], denied };
};

const linkOf = (inode: string): string => `socket:[${inode}]`;
