/** A journal, logs and metrics for the HTTP rim: what a test puts in comes out, and who still listens can be counted. */
import type { InspectMessage, InspectPort, JournalPort, LogLine, LogsPort, MetricsPort, TransitionRecord } from '../../src/http/ports.ts';

interface Feed<T> {
  readonly past: T[];
  readonly listeners: Set<(each: T) => void>;
  tell(each: T): void;
  follow(after: number | null, listener: (each: T) => void): () => void;
}

const createFeed = <T>(idOf: (each: T) => number): Feed<T> => {
  const past: T[] = [];
  const listeners = new Set<(each: T) => void>();
  return {
    past,
    listeners,
    tell: (each) => {
      past.push(each);
      for (const listener of [...listeners]) listener(each);
    },
    follow: (after, listener) => {
      let stopped = false;
      listeners.add(listener);
      const replay = after === null ? [] : past.filter((each) => idOf(each) > after);
      queueMicrotask(() => {
        for (const each of replay) if (!stopped) listener(each);
      });
      return () => {
        stopped = true;
        listeners.delete(listener);
      };
    },
  };
};

export interface FakeJournal extends JournalPort {
  readonly feed: Feed<TransitionRecord>;
}

export const createFakeJournal = (): FakeJournal => {
  const feed = createFeed<TransitionRecord>((record) => record.seq);
  return {
    feed,
    poolEvents: async (poolId, { limit, before }) =>
      feed.past
        .filter((record) => record.pool_id === poolId && (before === null || record.seq < before))
        .reverse()
        .slice(0, limit),
    follow: (after, listener) => feed.follow(after, listener),
  };
};

export interface FakeLogs extends LogsPort {
  readonly feed: Feed<LogLine>;
  previous: LogLine[] | null;
}

export const createFakeLogs = (): FakeLogs => {
  const feed = createFeed<LogLine>((line) => line.offset);
  const logs: FakeLogs = {
    feed,
    previous: null,
    read: async (_poolId, { tail, run }) => (run === 'previous' ? (logs.previous?.slice(-tail) ?? null) : tail === 0 ? [] : feed.past.slice(-tail)),
    follow: (_poolId, after, listener) => feed.follow(after, listener),
  };
  return logs;
};

export const fakeMetrics: MetricsPort = {
  render: async () => '# TYPE pool_ready gauge\npool_ready{pool_id="pool-0"} 1\n',
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
};

export const transition = (seq: number, own: Partial<TransitionRecord> = {}): TransitionRecord => ({
  seq,
  at: '2026-01-01T00:00:00.000Z',
  pool_id: 'pool-0',
  actor: 'pool-0#1',
  event: 'health.failed',
  from: 'ready.healthy',
  to: 'ready.suspect',
  reason: { code: 'health_failed', message: 'no answer' },
  incarnation: 'abc',
  outcome: null,
  ...own,
});

export interface FakeInspect extends InspectPort {
  readonly feed: Feed<InspectMessage>;
}

export const createFakeInspect = (): FakeInspect => {
  const feed = createFeed<InspectMessage>((message) => message.id);
  // Whoever is new is told all that is remembered.
  return { feed, follow: (after, listener) => feed.follow(after ?? 0, listener) };
};
