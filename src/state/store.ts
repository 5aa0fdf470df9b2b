/**
 * What the daemon remembers over restarts, one JSON file per thing under the state directory. Interface; `files.ts` is the
 * real one. One process at a time uses a state directory: `os/lock.ts` sees to that.
 */
import type { Cause, Handoff, PoolMemory, PoolSpec, RunRecord } from '../machines/vocabulary.ts';

/**
 * A folder of `<id>.json`. Writes are crash-safe: after a kill at any moment the old or the new content is there, whole. Calls
 * for one id take effect in the order they were made; of writes that wait only the latest is done, and all of them share its
 * outcome.
 */
export interface Shelf<T> {
  /** Null: there is none. Throws CauseError where there is one that cannot be read; it is then set aside, as `list` does. */
  read(id: string): Promise<T | null>;
  /** Throws CauseError `state_store_failed` or `disk_full`; the old content is then still there, or the new one already. */
  write(id: string, value: T): Promise<void>;
  /** What is not there is removed already. Throws as `write`. */
  remove(id: string): Promise<void>;
  /** Everything, by id. Throws CauseError only where the folder itself cannot be read. */
  list(): Promise<Listing<T>>;
}

export interface Listing<T> {
  readonly values: readonly T[];
  readonly setAside: readonly SetAside[];
  /** Temporary files of an earlier process, removed. */
  readonly swept: readonly string[];
}

/** A file that could not be read: moved to `corrupt/` with its reason beside, or left where the disk did not answer. */
export interface SetAside {
  /** Null: its name is no pool id. */
  readonly id: string | null;
  readonly cause: Cause;
}

/** The folder of each shelf. */
export const folders = {
  runs: 'runs',
  memories: 'pools',
  declared: 'declared',
  overrides: 'overrides',
  attached: 'attached',
  trees: 'trees',
  learned: 'learned',
} as const;

export type ShelfName = keyof typeof folders;

export interface StateStore {
  readonly dir: string;
  /** Engines that run. */
  readonly runs: Shelf<RunRecord>;
  readonly memories: Shelf<KeptMemory>;
  /** Pools declared over the API. */
  readonly declared: Shelf<PoolSpec>;
  /** What was ordered over the API for pools of the pools file, and for any pool while it is not known what becomes of it. */
  readonly overrides: Shelf<OverrideRecord>;
  /** Pools made from somebody else's handoff. */
  readonly attached: Shelf<AttachedRecord>;
  /** Processes that engines started, refreshed at health ticks. */
  readonly trees: Shelf<TreeRecord>;
  /** What engines were measured to need. */
  readonly learned: Shelf<LearnedRecord>;
  /** Resolves when no write or removal is under way or waits. Failures were told to whoever asked for them. */
  settled(): Promise<void>;
}

export interface KeptMemory extends PoolMemory {
  /** Boot of its monotonic times and of its phase. */
  readonly bootId: string;
}

/** Counts as long as the pools file says of the pool what it said when this was ordered, or the pool is declared over the API. */
export interface OverrideRecord {
  readonly version: 1;
  readonly poolId: string;
  /** A hash of the pool's whole entry in the pools file; null: it is not in there. */
  readonly filedHash: string | null;
  readonly spec: PoolSpec;
  /** What counted before, while it is not known what becomes of this. */
  readonly former: PoolSpec | null;
}

export interface AttachedRecord {
  readonly version: 1;
  readonly poolId: string;
  /** Boot in which the handoff was seen: its pid and endpoint prove nothing in another. */
  readonly bootId: string;
  readonly handoff: Handoff;
}

/** What ending an engine must end besides its first process. */
export interface TreeRecord {
  readonly version: 1;
  readonly poolId: string;
  /** That of the run record it belongs to. */
  readonly incarnation: string;
  readonly descendants: readonly { readonly pid: number; readonly startTime: number }[];
}

/** What the engine of a pool held of its GPUs when it was proven. */
export interface LearnedRecord {
  readonly version: 1;
  /** The pool as it is known to people. */
  readonly poolId: string;
  /** Of another spec it says nothing. */
  readonly specHash: string;
  /** The most of its starts. */
  readonly vramBytes: number;
  readonly starts: number;
}
