/**
 * The only actor that ends an engine: its handoff file, its whole tree, its FIFO, its records, its port, in this order, the run
 * record last. Interrupted anywhere it can be done again; with survivors the records stay.
 */
import { rm } from 'node:fs/promises';
import { fromPromise } from 'xstate';
import { CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import { adapterFor } from '../engines/index.ts';
import type { Failure, poolActors, StopOutput } from '../machines/pool/actors.ts';
import type { RunRecord } from '../machines/vocabulary.ts';
import { handoffPath } from './handoff/file-name.ts';
import { bandOf } from './launch/band-of.ts';
import { type ForgetRunDeps, forgetRun } from './launch/forget-run.ts';
import type { Ports } from './launch/ports.ts';

export interface StopEngineDeps extends ForgetRunDeps {
  readonly ports: Ports;
  readonly runtimeDir: string;
  /** From KILL on; then survivors are reported. */
  readonly killWaitMs?: number;
}

const defaultKillWaitMs = 15_000;

export const stopEngine = (deps: StopEngineDeps): typeof poolActors.stopEngine =>
  fromPromise<StopOutput, { readonly run: RunRecord }>(async ({ input: { run } }) => {
    try {
      return { ...(await stop(run, deps)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'unkillable'), ...stamp() } satisfies Failure;
    }
  });

const stop = async (run: RunRecord, deps: StopEngineDeps): Promise<Omit<StopOutput, 'at' | 'mono'>> => {
  const handoffRemoved = removeHandoff(run, deps);
  const outcome = await deps.launcher.stop(run, {
    signal: adapterFor(run.engine).stopSignal,
    graceMs: run.spec.timeouts.stop_ms,
    killWaitMs: deps.killWaitMs ?? defaultKillWaitMs,
  });
  if (outcome.survivors.length > 0) return outcome;
  await handoffRemoved;
  await forgetRun(run, deps);
  deps.ports.release(bandOf(run));
  return outcome;
};

/** A file that cannot be removed keeps no engine alive; it is told once the tree is gone. */
const removeHandoff = (run: RunRecord, { runtimeDir }: StopEngineDeps): Promise<void> => {
  const path = handoffPath(runtimeDir, run.poolId);
  const removed = rm(path, { force: true }).catch((thrown: unknown) => {
    throw new CauseError({
      code: 'state_store_failed',
      message: `cannot remove the handoff file ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      details: { path },
    });
  });
  removed.catch(() => undefined);
  return removed;
};
