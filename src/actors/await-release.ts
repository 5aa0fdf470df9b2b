/**
 * Waits until the VRAM of a stopped engine is back: looks at the cards every 100 ms, for `timeouts.vram_release_ms` at most.
 *
 * `released: false` at the limit; null when nothing can be known of the cards: they are gone, or every look within the limit
 * failed. Never rejects. Undo: stops looking; a read under way ends unheard.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { fromPromise } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { GpuSource } from '../gpu/source.ts';
import { type Held, heldMemory } from '../machines/policies/held-memory.ts';
import type { poolActors } from '../machines/pool/actors.ts';
import type { RunRecord, Stamp } from '../machines/vocabulary.ts';

export interface AwaitReleaseDeps {
  readonly source: GpuSource;
  /** Pids that are or were of the run's tree, dead ones too: the driver may list a process for a while after its end. */
  readonly pidsOf: (run: RunRecord) => Promise<readonly number[]> | readonly number[];
  /** Bounds each look; a hanging driver then leaves room for another one within the limit. */
  readonly readDeadlineMs: number;
  readonly pollMs?: number;
}

type Release = { readonly released: boolean | null; readonly heldBytes: number | null } & Stamp;

const defaultPollMs = 100;

export const awaitRelease = (deps: AwaitReleaseDeps): typeof poolActors.awaitRelease =>
  fromPromise<Release, { readonly run: RunRecord }>(async ({ input: { run }, signal }) => {
    const until = stamp().mono + run.spec.timeouts.vram_release_ms;
    const left = (): number => until - stamp().mono;
    const pids = await treeOf(deps, run);
    let last: Held = { released: null, bytes: null };
    do {
      const look = await lookOnce(deps, run, pids, Math.max(1, Math.min(deps.readDeadlineMs, left())));
      if (look !== null) last = look;
      if (look !== null && isFinal(look)) break;
      await wait(Math.max(0, Math.min(deps.pollMs ?? defaultPollMs, left())), undefined, { signal }).catch(() => null);
    } while (left() > 0 && !signal.aborted);
    return { released: last.released, heldBytes: last.bytes, ...stamp() };
  });

/** A tree that cannot be told still has its root; its memory is accounted for either way. */
const treeOf = async (deps: AwaitReleaseDeps, run: RunRecord): Promise<ReadonlySet<number>> => {
  try {
    return new Set([run.pid, ...(await deps.pidsOf(run))]);
  } catch {
    return new Set([run.pid]);
  }
};

/** Null: the look failed. */
const lookOnce = async (deps: AwaitReleaseDeps, run: RunRecord, pids: ReadonlySet<number>, deadlineMs: number): Promise<Held | null> => {
  const read = await deps.source.read(deadlineMs).catch((thrown: unknown) => causeOf(thrown, 'driver_error'));
  return isCause(read) ? null : heldMemory(run.gpus, pids, read);
};

/** A card that is gone or tells nothing will not tell more by waiting; memory that is merely unexplained may. */
const isFinal = (held: Held): boolean => held.released === true || (held.released === null && held.bytes === null);
