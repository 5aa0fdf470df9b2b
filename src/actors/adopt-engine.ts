/**
 * Whose process a record of an earlier daemon names: by boot, pid and start time. Its port is taken over. Sends no signal and
 * changes nothing on disk.
 *
 * Who listens on that port is for the proofs that follow: a thief there makes our engine useless, not somebody else's, and one
 * that was let go of would live on, holding its memory.
 */
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { Cause, RunRecord, Stamp } from '../machines/vocabulary.ts';
import { bandOf } from './launch/band-of.ts';
import type { Ports } from './launch/ports.ts';
import type { Launcher } from './launcher.ts';

export interface AdoptEngineDeps {
  readonly launcher: Launcher;
  readonly ports: Ports;
}

interface Verdict {
  readonly verdict: 'ours' | 'gone' | 'stranger';
  readonly cause: Cause | null;
}

export const adoptEngine = (deps: AdoptEngineDeps): typeof poolActors.adoptEngine =>
  fromPromise<Verdict & Stamp, { readonly run: RunRecord }>(async ({ input: { run } }) => {
    try {
      deps.ports.adopt(bandOf(run));
      return { ...(await judge(run, deps)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'identity_mismatch'), ...stamp() } satisfies Failure;
    }
  });

const judge = async (run: RunRecord, { launcher }: AdoptEngineDeps): Promise<Verdict> => {
  const verdict = await launcher.identify(run);
  return { verdict, cause: verdict === 'stranger' ? mismatch(run) : null };
};

const mismatch = (run: RunRecord): Cause => ({
  code: 'identity_mismatch',
  message: `expected the engine recorded for ${run.poolId} (pid ${run.pid}, started at tick ${run.startTime}, port ${run.port}), found that pid ${run.pid} is another process; it was left alone`,
  details: { pid: run.pid, startTime: run.startTime, port: run.port },
});
