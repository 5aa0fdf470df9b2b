/**
 * Writes the handoff file of our own engine: the documented form and our fields beside it, whole or not at all.
 *
 * Writing it twice replaces it. No undo: the file goes when it is consumed, or when its engine is stopped.
 */
import { mkdir } from 'node:fs/promises';
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { RunRecord, Stamp } from '../machines/vocabulary.ts';
import { writeFileAtomically } from '../os/atomic-file.ts';
import { handoffPath, ownReplica } from './handoff/file-name.ts';

export interface AnnounceHandoffDeps {
  readonly runtimeDir: string;
}

export const announceHandoff = ({ runtimeDir }: AnnounceHandoffDeps): typeof poolActors.announceHandoff =>
  fromPromise<Stamp, { readonly run: RunRecord }>(async ({ input: { run } }) => {
    try {
      await mkdir(runtimeDir, { recursive: true, mode: 0o770 });
      await writeFileAtomically(handoffPath(runtimeDir, run.poolId), `${JSON.stringify(handoffOf(run))}\n`, { mode: 0o640 });
      return stamp();
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'state_store_failed'), ...stamp() } satisfies Failure;
    }
  });

const handoffOf = (run: RunRecord): Readonly<Record<string, unknown>> => ({
  pool_id: run.spec.id,
  ...(run.poolId === run.spec.id ? {} : { berth: run.poolId }),
  engine: run.engine,
  endpoint: run.endpoint,
  ...(run.gpus[0] === undefined ? {} : { gpu_device: run.gpus[0].index }),
  slots: run.spec.slots,
  ready: true,
  replica_id: ownReplica,
  ...(run.engineVersion === null ? {} : { engine_version: run.engineVersion }),
  device_mask: run.gpus.map((gpu) => gpu.index).join(','),
  slots_total: run.spec.slots,
  pid: run.pid,
  pid_start_time: run.startTime,
  incarnation: run.incarnation,
});
