/**
 * What the daemon remembers over restarts, one JSON file per thing under the state directory. Interface; `files.ts` is the
 * real one.
 */
import type { Cause, Handoff, PoolMemory, PoolSpec, RunRecord } from '../machines/vocabulary.ts';

/** A folder of `<id>.json`. Writes are crash-safe: after a kill at any moment the old or the new content is there, whole. */
export interface Shelf<T> {
  read(id: string): Promise<T | null>;
  /** Throws CauseError `state_store_failed` or `disk_full`; the old content is then still there. */
  write(id: string, value: T): Promise<void>;
  remove(id: string): Promise<void>;
  /** Files that cannot be read are moved to `corrupt/` and named. */
  list(): Promise<{ readonly values: readonly T[]; readonly setAside: readonly Cause[] }>;
}

export interface StateStore {
  readonly dir: string;
  readonly runs: Shelf<RunRecord>;
  readonly memories: Shelf<PoolMemory>;
  /** Pools declared over the API. */
  readonly declared: Shelf<PoolSpec>;
  /** Pools made from somebody else's handoff. */
  readonly attached: Shelf<Handoff>;
}
