/**
 * A fresh look at the cards and the VRAM that a pool will need, right before it asks to be admitted.
 *
 * Reads once, and sees whether anything else keeps engines from starting; whether it fits is the ledger's decision. Rejects with the Failure of the read. Undo: none, nothing is changed.
 */
import { fromPromise } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import { estimateNeedBytes } from '../gpu/estimate/estimate.ts';
import type { GpuSource } from '../gpu/source.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { Cause, Inventory, ModelPresent, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import { nameOwners, type Owners } from './name-owners.ts';

export interface MeasureGpusDeps {
  readonly source: GpuSource;
  readonly readDeadlineMs: number;
  readonly owners?: Owners;
  /** What besides the cards keeps an engine from starting on them; null: nothing. */
  readonly obstacle?: () => Promise<Cause | null>;
  /** What engines of this spec were measured to need; null: nothing is known. Absent: nothing is learned. */
  readonly learned?: (spec: PoolSpec) => number | null;
}

type Measured = { readonly inventory: Inventory; readonly needBytes: number | null } & Stamp;

export const measureGpus = (deps: MeasureGpusDeps): typeof poolActors.measureGpus =>
  fromPromise<Measured, { readonly spec: PoolSpec; readonly model: ModelPresent }>(async ({ input }) => {
    const read = await deps.source.read(deps.readDeadlineMs).catch((thrown: unknown) => causeOf(thrown, 'driver_error'));
    if (isCause(read)) throw failure(read);
    const obstacle = read.source === 'simulated' ? null : ((await deps.obstacle?.()) ?? null);
    if (obstacle !== null) throw failure(obstacle);
    const inventory = await nameOwners(read, deps.owners);
    return { inventory, needBytes: deps.learned?.(input.spec) ?? estimateNeedBytes(input.spec, input.model), ...stamp() };
  });

const failure = (cause: Cause): Failure => ({ cause, ...stamp() });
