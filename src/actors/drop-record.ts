/** Drops the record of a process that is not ours, with its tree and FIFO, and leaves its port alone. No signal is sent. */
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { RunRecord, Stamp } from '../machines/vocabulary.ts';
import { bandOf } from './launch/band-of.ts';
import { type ForgetRunDeps, forgetRun } from './launch/forget-run.ts';
import type { Ports } from './launch/ports.ts';

export interface DropRecordDeps extends ForgetRunDeps {
  readonly ports: Ports;
}

export const dropRecord = (deps: DropRecordDeps): typeof poolActors.dropRecord =>
  fromPromise<Stamp, { readonly run: RunRecord }>(async ({ input: { run } }) => {
    try {
      deps.ports.avoid(bandOf(run));
      await forgetRun(run, deps);
      return stamp();
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'state_store_failed'), ...stamp() } satisfies Failure;
    }
  });
