/**
 * Whose process a record of an earlier daemon names: by boot, pid and start time, and by who listens on its port, if anybody
 * does. Its port is taken over. Sends no signal and changes nothing on disk.
 */
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { Cause, RunRecord, Stamp } from '../machines/vocabulary.ts';
import type { Ports } from './launch/ports.ts';
import type { Launcher } from './launcher.ts';
import type { ListenerOwner } from './probe/probe-once.ts';

export interface AdoptEngineDeps {
  readonly launcher: Launcher;
  readonly listenerOwner: ListenerOwner;
  readonly ports: Ports;
}

interface Verdict {
  readonly verdict: 'ours' | 'gone' | 'stranger';
  readonly cause: Cause | null;
}

export const adoptEngine = (deps: AdoptEngineDeps): typeof poolActors.adoptEngine =>
  fromPromise<Verdict & Stamp, { readonly run: RunRecord }>(async ({ input: { run } }) => {
    try {
      deps.ports.adopt(run.poolId, run.port);
      return { ...(await judge(run, deps)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'identity_mismatch'), ...stamp() } satisfies Failure;
    }
  });

const judge = async (run: RunRecord, { launcher, listenerOwner }: AdoptEngineDeps): Promise<Verdict> => {
  const verdict = await launcher.identify(run);
  if (verdict === 'stranger') return { verdict, cause: mismatch(run, `found that pid ${run.pid} is another process`) };
  if (verdict === 'gone') return { verdict, cause: null };
  // Nobody listening is an engine that loads; a listener that cannot be told is judged by the proofs that follow.
  if ((await listenerOwner(run)) === 'foreign')
    return { verdict: 'stranger', cause: mismatch(run, `found another process listening on port ${run.port}`) };
  return { verdict, cause: null };
};

const mismatch = (run: RunRecord, found: string): Cause => ({
  code: 'identity_mismatch',
  message: `expected the engine recorded for ${run.poolId} (pid ${run.pid}, started at tick ${run.startTime}, port ${run.port}), ${found}; it was left alone`,
  details: { pid: run.pid, startTime: run.startTime, port: run.port },
});
