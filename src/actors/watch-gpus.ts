/**
 * Looks at the cards at once, then at an interval, and at every `gpus.look`; tells the node what changed.
 *
 * Never two looks at once: one asked for during another follows it. Undo: no further look is begun; one under way ends unheard.
 * When cards are structure (discovered) and when they are samples is decided here.
 */
import { fromCallback } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import { follow } from '../gpu/follow.ts';
import { type PlaceOf, withPlaces } from '../gpu/place.ts';
import type { GpuSource } from '../gpu/source.ts';
import type { GpuEvent } from '../machines/events.ts';
import type { GpusOrder, nodeActors } from '../machines/node/actors.ts';
import type { Cause, Inventory } from '../machines/vocabulary.ts';
import { keepChecks } from './gpu-checks.ts';
import { nameOwners, type Owners } from './name-owners.ts';

export interface WatchGpusDeps {
  readonly source: GpuSource;
  /** From the end of one look to the begin of the next. */
  readonly intervalMs: number;
  readonly readDeadlineMs: number;
  /** Between two looks at what changes slowly. */
  readonly deepIntervalMs?: number;
  readonly owners?: Owners;
  /** Absent: where cards are is not looked up. */
  readonly placeOf?: PlaceOf;
}

const defaultDeepIntervalMs = 60_000;
/** Looks that wait to be told, since it takes long to name processes: more are left out. */
const mostWaiting = 2;

export const watchGpus = (deps: WatchGpusDeps): typeof nodeActors.watchGpus =>
  fromCallback<GpusOrder, Record<string, never>>(({ sendBack, receive }) => {
    const checks = keepChecks();
    const deepIntervalMs = deps.deepIntervalMs ?? defaultDeepIntervalMs;
    let structure: string | null = null;
    let stopped = false;
    let deepDueMono = stamp().mono + deepIntervalMs;
    let waiting = 0;
    let inOrder = Promise.resolve();

    const tell = async (read: Inventory | Cause, begunMono: number): Promise<void> => {
      const event = await eventOf(read, deps, structure);
      if (stopped) return;
      structure = event.type === 'gpu.probeFailed' ? null : structureOf(event.inventory);
      // First what is the matter with a card, so that it is not merely missing to those who are on it.
      for (const check of checks.ofKnown(event, begunMono)) sendBack(check);
      sendBack(event);
      for (const check of checks.ofNew(event, begunMono)) sendBack(check);
    };
    const hear = (read: Inventory | Cause, begunMono: number): void => {
      const { mono } = stamp();
      if (mono >= deepDueMono) {
        deepDueMono = mono + deepIntervalMs;
        deps.source.wantDeep?.();
      }
      if (waiting >= mostWaiting) return;
      waiting += 1;
      inOrder = inOrder
        .then(() => tell(read, begunMono))
        .finally(() => {
          waiting -= 1;
        });
    };

    deps.source.wantDeep?.();
    const following = follow(deps.source, { intervalMs: deps.intervalMs, deadlineMs: deps.readDeadlineMs, hear });
    receive((order) => {
      if (order.type === 'gpus.attend') checks.attend(order.uuids);
      else following.look();
    });
    return () => {
      stopped = true;
      following.stop();
    };
  });

type Look = Exclude<GpuEvent, { readonly type: 'gpu.checked' }>;

/** `structure`: of the last good look; null before the first one and after a failed one. Never rejects. */
const eventOf = async (read: Inventory | Cause, { owners, placeOf }: WatchGpusDeps, structure: string | null): Promise<Look> => {
  try {
    if (isCause(read)) return { type: 'gpu.probeFailed', cause: read, ...stamp() };
    const inventory = withPlaces(await nameOwners(read, owners), placeOf);
    return { type: structure === structureOf(inventory) ? 'gpu.sampled' : 'gpu.discovered', inventory, ...stamp() };
  } catch (thrown) {
    return { type: 'gpu.probeFailed', cause: causeOf(thrown, 'driver_error'), ...stamp() };
  }
};

/** What pools are pinned to and admitted by: indices, UUIDs, sizes, slices. */
const structureOf = (inventory: Inventory): string =>
  JSON.stringify(
    inventory.gpus
      .map(({ index, uuid, memoryTotalBytes, mig }) => [
        index,
        uuid,
        memoryTotalBytes,
        mig?.map((slice) => [slice.uuid, slice.memoryTotalBytes]) ?? null,
      ])
      .sort(),
  );
