/** What the page knows of the node, kept as it is by one stream; whoever shows it is told at most once per frame. */
import type { PoolCommandName } from '../../../machines/pool/commands.ts';
import type { GpuView, NodeView, PoolStatus } from '../../../machines/views.ts';
import { follow, type StreamEvent } from './stream.ts';

/** As `GET /v2/live` tells of it. */
export type LivePool = Omit<PoolStatus, 'last_probe_at'> & { readonly accepts: readonly PoolCommandName[] };

export type LiveGpu = Omit<GpuView, 'age_ms'>;

export interface Known {
  node: NodeView | null;
  gpus: readonly LiveGpu[];
  /** By id. */
  readonly pools: Map<string, LivePool>;
  /** `staleSince`: milliseconds since the epoch; null: what is shown is what there is. */
  staleSince: number | null;
  /** A first answer has come. */
  begun: boolean;
}

export const known: Known = { node: null, gpus: [], pools: new Map(), staleSince: null, begun: false };

const watchers = new Set<() => void>();
let asked = false;
let stop: (() => void) | null = null;
let sorted: readonly LivePool[] | null = [];
const places = new Map<string, number>();

export const watch = (watcher: () => void): void => void watchers.add(watcher);

/** Has everything shown again, at the next frame. */
export const changed = (): void => {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    for (const watcher of watchers) watcher();
  });
};

/** Sorted by id. */
export const pools = (): readonly LivePool[] => {
  sorted ??= [...known.pools.values()].sort((one, other) => (one.pool_id < other.pool_id ? -1 : 1));
  return sorted;
};

/** Which of the colours a pool has: by its place among all that were ever seen, so that it keeps it. */
export const placeOf = (id: string): number => {
  const place = places.get(id) ?? places.size;
  places.set(id, place);
  return place;
};

/** Opens the stream; again after a token was given. */
export const connect = (onTokenWanted: (message: string) => void): void => {
  stop?.();
  stop = follow('/v2/live', take, {
    onOpen: (open) => {
      if (open) known.staleSince = null;
      else known.staleSince ??= Date.now();
      changed();
    },
    onRefused: ({ message }) => onTokenWanted(message),
  });
};

/** Forgets everything: whoever may not ask may not see. */
export const forget = (): void => {
  stop?.();
  stop = null;
  Object.assign(known, { node: null, gpus: [], staleSince: null, begun: false });
  known.pools.clear();
  places.clear();
  sorted = null;
  changed();
};

/** Page and daemon are of one version, so the views are taken as they are described. */
const take = ({ event, data }: StreamEvent): void => {
  sorted = null;
  switch (event) {
    case 'node':
      known.node = data as NodeView;
      known.begun = true;
      break;
    case 'gpus':
      known.gpus = (data as { gpus: readonly LiveGpu[] }).gpus;
      break;
    case 'pool':
      known.pools.set((data as LivePool).pool_id, data as LivePool);
      break;
    case 'gone':
      known.pools.delete((data as { pool_id: string }).pool_id);
      break;
    case 'reset':
      known.pools.clear();
      break;
  }
  changed();
};
