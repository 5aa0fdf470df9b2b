/**
 * Resolves when nothing is left of a tree that would not die. No deadline of its own: it ends with the actor. Sends no signal.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { RunRecord, Stamp } from '../machines/vocabulary.ts';
import { identityOfPid, isAlive, type ProcIdentity } from '../os/proc-stat.ts';
import type { Trees } from './launch/descendants.ts';

export interface AwaitTreeGoneDeps {
  readonly trees: Trees;
  readonly pollMs?: number;
}

const defaultPollMs = 500;

export const awaitTreeGone = ({ trees, pollMs = defaultPollMs }: AwaitTreeGoneDeps): typeof poolActors.awaitTreeGone =>
  fromPromise<Stamp, { readonly run: RunRecord; readonly survivors: readonly number[] }>(async ({ input, signal }) => {
    try {
      let left: readonly ProcIdentity[] = input.survivors.flatMap((pid) => identityOfPid(pid) ?? []);
      do {
        // Before the first look too: a stop that fails at once does not turn in circles.
        await wait(pollMs, undefined, { signal }).catch(() => undefined);
        if (!left.some(isAlive)) left = await trees.membersOf(input.run, 'now');
      } while (left.length > 0 && !signal.aborted);
      return stamp();
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'unkillable'), ...stamp() } satisfies Failure;
    }
  });
