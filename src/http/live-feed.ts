/**
 * What there is, as it changes: the node, its GPUs and its pools as a source of messages, for pages that show them.
 *
 * Each view has a number, larger than that of any view before it: whoever was told up to a number is told what has a larger
 * one, which is everything for a newcomer. Looks at the node only while somebody listens, and tells only what has changed.
 */
import type { NodePort } from './ports.ts';
import type { StreamMessage, StreamSource } from './streams.ts';

interface Item {
  readonly event: string;
  readonly data: object;
  /** The data as text: the same text means the same view. */
  readonly text: string;
  id: number;
}

export interface LiveFeedOptions {
  readonly node: Pick<NodePort, 'node' | 'pools' | 'gpus' | 'accepts'>;
  /** Milliseconds between two looks. */
  readonly everyMs?: number;
  /** Pools that are gone and still told of to whoever comes back. */
  readonly mostGone?: number;
  readonly now?: () => number;
  /** A look failed. It is tried again, and told once until one has succeeded. */
  readonly onFailure?: (thrown: unknown) => void;
}

export const createLiveFeed = ({ node, everyMs = 500, mostGone = 1_000, now = Date.now, onFailure }: LiveFeedOptions): StreamSource => {
  const items = new Map<string, Item>();
  const listeners = new Set<(message: StreamMessage) => void>();
  // Numbers go on over restarts: a page that comes back with one of an earlier daemon is told to forget what it knows.
  let floor = now();
  let latest = floor;
  let listed: unknown = null;
  let gone = 0;
  let timer: NodeJS.Timeout | null = null;
  let failing = false;

  const tell = (message: StreamMessage): void => {
    for (const listener of [...listeners]) listener(message);
  };
  const put = (key: string, item: Omit<Item, 'id'>): void => {
    latest += 1;
    const numbered = { ...item, id: latest };
    items.delete(key);
    items.set(key, numbered);
    tell(numbered);
  };
  const note = (key: string, event: string, data: object): void => {
    const text = JSON.stringify(data);
    const before = items.get(key);
    if (before?.event !== event || before.text !== text) put(key, { event, data, text });
  };

  const lookAtPools = (): void => {
    const pools = node.pools();
    if (pools === listed) return;
    listed = pools;
    const present = new Set<string>();
    for (const status of pools) {
      // It moves with each probe and would have every pool told every two seconds.
      const { last_probe_at, ...steady } = status;
      present.add(keyOf(status.pool_id));
      note(keyOf(status.pool_id), 'pool', { ...steady, accepts: node.accepts(status.pool_id) });
    }
    for (const [key, { event, data }] of [...items]) {
      if (event !== 'pool' || present.has(key) || !('pool_id' in data)) continue;
      put(key, { event: 'gone', data: { pool_id: data.pool_id }, text: '' });
    }
    gone = items.size - present.size;
    if (gone > mostGone) forgetGone();
  };

  /** Everything gets a new number, so that whoever was told of less is told of all. */
  const forgetGone = (): void => {
    const kept = [...items].filter(([, { event }]) => event !== 'gone');
    items.clear();
    floor = latest;
    for (const [key, item] of kept) put(key, item);
  };

  const look = (): void => {
    note('node', 'node', node.node());
    // Their age is another at every look; when they were seen says the same.
    note('gpus', 'gpus', { gpus: node.gpus().map(({ age_ms, ...steady }) => steady) });
    lookAtPools();
  };

  /** Nobody waits for this look, so nobody hears of its failure otherwise. */
  const lookAgain = (): void => {
    try {
      look();
      failing = false;
    } catch (thrown) {
      if (!failing) onFailure?.(thrown);
      failing = true;
    }
  };

  return (after, listener) => {
    look();
    let stopped = false;
    const told = (message: StreamMessage): void => {
      if (!stopped) listener(message);
    };
    if (after !== null && after < floor) told({ id: floor, event: 'reset', data: {} });
    // Items stand in the order of their numbers.
    for (const item of [...items.values()]) {
      if (stopped) break;
      if (after === null || item.id > after) told(item);
    }
    if (stopped) return () => undefined;
    listeners.add(told);
    timer ??= setInterval(lookAgain, everyMs).unref();
    return () => {
      stopped = true;
      listeners.delete(told);
      if (listeners.size > 0 || timer === null) return;
      clearInterval(timer);
      timer = null;
    };
  };
};

const keyOf = (id: string): string => `pool ${id}`;
