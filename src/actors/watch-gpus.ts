/**
 * Looks at the cards at once, then at an interval, and at every `gpus.look`; tells the node what changed.
 *
 * Never two reads at once: a look asked for during one follows it. Undo: no further read is begun; one under way ends unheard.
 * When cards are structure (discovered) and when they are samples is decided here.
 */
import { fromCallback } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { GpuSource } from '../gpu/source.ts';
import type { GpuEvent } from '../machines/events.ts';
import type { GpusOrder, nodeActors } from '../machines/node/actors.ts';
import type { Inventory } from '../machines/vocabulary.ts';
import { keepChecks } from './gpu-checks.ts';
import { nameOwners, type Owners } from './name-owners.ts';

export interface WatchGpusDeps {
  readonly source: GpuSource;
  /** From the end of one read to the begin of the next. */
  readonly intervalMs: number;
  readonly readDeadlineMs: number;
  /** Between two looks at what changes slowly. */
  readonly deepIntervalMs?: number;
  readonly owners?: Owners;
}

const defaultDeepIntervalMs = 60_000;

export const watchGpus = (deps: WatchGpusDeps): typeof nodeActors.watchGpus =>
  fromCallback<GpusOrder, Record<string, never>>(({ sendBack, receive }) => {
    const checks = keepChecks();
    let structure: string | null = null;
    let reading = false;
    let lookAgain = false;
    let stopped = false;
    let timer: NodeJS.Timeout | undefined;
    let deepDueMono = 0;

    const look = async (): Promise<void> => {
      clearTimeout(timer);
      reading = true;
      lookAgain = false;
      const { mono } = stamp();
      if (mono >= deepDueMono) {
        deepDueMono = mono + (deps.deepIntervalMs ?? defaultDeepIntervalMs);
        deps.source.wantDeep?.();
      }
      const event = await probe(deps, structure);
      reading = false;
      if (stopped) return;
      structure = event.type === 'gpu.probeFailed' ? null : structureOf(event.inventory);
      // First what is the matter with a card, so that it is not merely missing to those who are on it.
      for (const check of checks.ofKnown(event, mono)) sendBack(check);
      sendBack(event);
      for (const check of checks.ofNew(event, mono)) sendBack(check);
      if (stopped) return;
      if (lookAgain) void look();
      else timer = setTimeout(() => void look(), deps.intervalMs);
    };

    receive((order) => {
      if (order.type === 'gpus.attend') return checks.attend(order.uuids);
      if (reading) lookAgain = true;
      else if (!stopped) void look();
    });
    void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  });

type Look = Exclude<GpuEvent, { readonly type: 'gpu.checked' }>;

/** `structure`: of the last good read; null before the first one and after a failed one. Never rejects. */
const probe = async ({ source, readDeadlineMs, owners }: WatchGpusDeps, structure: string | null): Promise<Look> => {
  try {
    const read = await source.read(readDeadlineMs);
    if (isCause(read)) return { type: 'gpu.probeFailed', cause: read, ...stamp() };
    const inventory = await nameOwners(read, owners);
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
