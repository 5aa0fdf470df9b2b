/**
 * Ends a whole tree: the signal once, grace, then KILL until nothing is left or the wait is over.
 *
 * The signal goes to the root's group, of which whoever is stopped is continued; what is left once the root has gone gets it
 * too, once. KILL goes to every member, each proven by its start time. What appears meanwhile is looked for before the end is
 * believed. Reports survivors, never rejects for them.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { isAlive, isStopped, type ProcIdentity, type ProcStat, sameProcess } from '../../os/proc-stat.ts';
import type { Trees } from './descendants.ts';
import { signalGroup, signalProcess } from './signals.ts';

export interface EndTreeOptions {
  readonly signal: 'SIGTERM' | 'SIGINT';
  readonly graceMs: number;
  readonly killWaitMs: number;
}

export interface EndedTree {
  readonly survivors: readonly number[];
  readonly killed: boolean;
}

/** New members are looked for this often while KILL has not done its work. */
const killAgainMs = 100;
const mostPollMs = 10;

export const endTree = async (run: RunRecord, options: EndTreeOptions, trees: Trees): Promise<EndedTree> => {
  const left = await askToEnd(run, options, trees);
  if (left.length === 0) return { survivors: [], killed: false };
  const survivors = await kill(run, left, options, trees);
  return { survivors: survivors.map(({ pid }) => pid), killed: true };
};

const askToEnd = async (run: RunRecord, { signal, graceMs }: EndTreeOptions, trees: Trees): Promise<readonly ProcStat[]> => {
  const until = performance.now() + graceMs;
  const asked: ProcIdentity[] = [];
  let members = await trees.membersOf(run, 'now');
  while (members.length > 0) {
    ask(run, members, asked, signal);
    const root = members.find((member) => sameProcess(member, run));
    const isOver = await goneBy(until, root === undefined ? members : [root]);
    members = await trees.membersOf(run, 'now');
    if (!isOver) return members;
  }
  return members;
};

/** Exactly once each: a second one makes some engines drop their work. */
const ask = (root: ProcIdentity, members: readonly ProcStat[], asked: ProcIdentity[], signal: NodeJS.Signals): void => {
  const isFirst = (member: ProcIdentity): boolean => !asked.some((one) => sameProcess(one, member));
  if (members.some((member) => sameProcess(member, root))) {
    if (!isFirst(root)) return;
    signalGroup(root, signal);
    const group = members.filter(({ pgrp }) => pgrp === root.pid);
    wake(group);
    asked.push(...group);
    return;
  }
  for (const member of members.filter(isFirst)) {
    signalProcess(member, signal);
    wake([member]);
    asked.push(member);
  }
};

/** What is stopped hears of the signal once it goes on. */
const wake = (members: readonly ProcStat[]): void => {
  for (const member of members) if (isStopped(member)) signalProcess(member, 'SIGCONT');
};

const kill = async (run: RunRecord, left: readonly ProcStat[], { killWaitMs }: EndTreeOptions, trees: Trees): Promise<readonly ProcStat[]> => {
  const until = performance.now() + killWaitMs;
  let members = left;
  do {
    signalGroup(run, 'SIGKILL');
    for (const member of members) signalProcess(member, 'SIGKILL');
    await goneBy(Math.min(until, performance.now() + killAgainMs), members);
    members = await trees.membersOf(run, 'now');
  } while (members.length > 0 && performance.now() < until);
  return members;
};

/** Whether all were gone in time. Asks soon, then less often. */
const goneBy = async (until: number, members: readonly ProcIdentity[]): Promise<boolean> => {
  for (let pause = 1; ; pause = Math.min(mostPollMs, pause * 1.5)) {
    if (!members.some(isAlive)) return true;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return false;
    await wait(Math.min(pause, leftMs));
  }
};
