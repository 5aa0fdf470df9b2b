/**
 * The effects a node asks for, by name and type. Placeholders; pool and registration are machines of their own.
 */
import { fromCallback, fromPromise } from 'xstate';
import { gpuMachine } from '../gpu/machine.ts';
import { poolMachine } from '../pool/machine.ts';
import { registrationMachine } from '../registration/machine.ts';
import type { BootPool, Cause, Handoff, HandoffOutcome, PoolOrigin, PoolSpec, Stamp } from '../vocabulary.ts';

export interface BootState extends Stamp {
  readonly pools: readonly BootPool[];
}

const notProvided = (name: string) => (): never => {
  throw new Error(`${name} was not provided`);
};

export const nodeActors = {
  pool: poolMachine,
  registration: registrationMachine,
  gpu: gpuMachine,
  /** Reads declarations, run records and memories. Unreadable files are set aside and named, never fatal; leftovers are `cleaned`. */
  loadState: fromPromise<BootState & { readonly setAside: readonly Cause[]; readonly cleaned: readonly string[] }, Record<string, never>>(
    notProvided('loadState'),
  ),
  /** pool.recalled: what is on disk of one pool whose actor broke, read again. */
  recallPool: fromCallback<{ type: 'recall.none' }, Omit<BootPool, 'run' | 'memory'>>(notProvided('recallPool')),
  /** gpu.discovered, gpu.sampled, gpu.probeFailed, gpu.checked. */
  watchGpus: fromCallback<GpusOrder, Record<string, never>>(notProvided('watchGpus')),
  /** kernel.xid, kernel.followed. */
  watchKernel: fromCallback<{ readonly type: 'kernel.none' }, Record<string, never>>(notProvided('watchKernel')),
  /** handoff.appeared, handoff.rejected; told what became of a file, it deletes, keeps or moves it. */
  watchHandoffs: fromCallback<{ readonly type: 'handoff.settled'; readonly file: string; readonly outcome: HandoffOutcome }, Record<string, never>>(
    notProvided('watchHandoffs'),
  ),
  /** Keeps what pools were made from handoffs, and forgets what is on disk of pools that ended. */
  keepRoster: fromCallback<RosterNote, Record<string, never>>(notProvided('keepRoster')),
};

export type GpusOrder =
  | { readonly type: 'gpus.look' }
  /** These cards are not well: what is found of them is told at every look. */
  | { readonly type: 'gpus.attend'; readonly uuids: readonly string[] };

export type RosterNote =
  | { readonly type: 'pool.attached'; readonly handoff: Handoff }
  /** What is declared of it over the API, from now on; with nothing that it overrides, for a pool of the pools file nothing is, whatever was. */
  | {
      readonly type: 'pool.redeclared';
      readonly poolId: string;
      readonly origin: PoolOrigin;
      readonly spec: PoolSpec;
      /** What the pools file says instead. */
      readonly overrides: PoolSpec | null;
      /** What was declared before, while it is not known what becomes of it. */
      readonly former: PoolSpec | null;
    }
  /** Its declaration over the API and its attachment are to go. */
  | { readonly type: 'pool.forgotten'; readonly poolId: string }
  /** The memory of an engine is to go. */
  | { readonly type: 'berth.forgotten'; readonly poolId: string };
