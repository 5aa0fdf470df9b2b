/** `GET /v2/live`: everything first, then what changes, nothing twice, and nothing while nobody listens. */
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createLiveFeed } from '../../src/http/live-feed.ts';
import type { StreamMessage } from '../../src/http/streams.ts';
import { createFakeNode, type FakeNode } from '../kit/fake-node-port.ts';
import { type HttpApi, readEvents, startHttpApi } from '../kit/http-api.ts';
import { until } from '../kit/until.ts';
import { poolStatus } from '../kit/views.ts';

const told = (messages: readonly StreamMessage[]): string[] =>
  messages.map(({ event, data }) => ('pool_id' in data ? `${event} ${String(data.pool_id)}` : event));

let node: FakeNode;
beforeEach(() => {
  node = createFakeNode();
});

/** Looks every 5 ms. */
const feedOf = (more: Partial<Parameters<typeof createLiveFeed>[0]> = {}) => createLiveFeed({ node, everyMs: 5, ...more });

const listen = (feed: ReturnType<typeof feedOf>, after: number | null = null) => {
  const messages: StreamMessage[] = [];
  const stop = feed(after, (message) => messages.push(message));
  onTestFinished(stop);
  return { messages, stop };
};

describe('the live feed', () => {
  it('tells a newcomer the node, its GPUs and all pools, each with what it accepts', () => {
    node.statuses = [poolStatus(), poolStatus({ pool_id: 'pool-1' })];
    const { messages } = listen(feedOf());
    expect(told(messages)).toEqual(['node', 'gpus', 'pool pool-0', 'pool pool-1']);
    expect(messages[2]?.data).toMatchObject({ pool_id: 'pool-0', state: 'ready', accepts: ['preload', 'drain', 'reload'] });
  });

  it('tells of a change once, to everybody, and of nothing else', async () => {
    node.statuses = [poolStatus(), poolStatus({ pool_id: 'pool-1' })];
    const feed = feedOf();
    const [one, other] = [listen(feed), listen(feed)];
    const before = one.messages.length;
    const [first] = node.statuses;
    node.statuses = [first ?? poolStatus(), poolStatus({ pool_id: 'pool-1', state: 'draining' })];
    await until('the change to be told', () => one.messages.length > before && other.messages.length > before);
    expect(told(one.messages.slice(before))).toEqual(['pool pool-1']);
    expect(other.messages.at(-1)).toEqual(one.messages.at(-1));
  });

  it('tells of pools that are gone', async () => {
    const { messages } = listen(feedOf());
    node.statuses = [];
    await until('the loss to be told', () => told(messages).includes('gone pool-0'));
  });

  it('tells whoever comes back only what is newer than what was seen', async () => {
    node.statuses = [poolStatus(), poolStatus({ pool_id: 'pool-1' })];
    const feed = feedOf();
    const first = listen(feed);
    first.stop();
    const [kept] = node.statuses;
    node.statuses = [kept ?? poolStatus(), poolStatus({ pool_id: 'pool-1', restarts: 1 })];
    const { messages } = listen(feed, first.messages.at(-1)?.id ?? null);
    expect(told(messages)).toEqual(['pool pool-1']);
  });

  it('has whoever comes back from an earlier daemon forget first', () => {
    const { messages } = listen(feedOf({ now: () => 5_000 }), 4_000);
    expect(told(messages)).toEqual(['reset', 'node', 'gpus', 'pool pool-0']);
    expect(messages.every(({ id }, index) => index === 0 || id > (messages[index - 1]?.id ?? 0))).toBe(true);
  });

  it('remembers a bounded number of pools that are gone, and then has everybody begin anew', async () => {
    node.statuses = [0, 1, 2, 3].map((index) => poolStatus({ pool_id: `pool-${index}` }));
    const feed = feedOf({ mostGone: 2 });
    const first = listen(feed);
    const seen = first.messages.at(-1)?.id ?? null;
    node.statuses = node.statuses.slice(0, 1);
    await until('all losses to be told', () => told(first.messages).filter((text) => text.startsWith('gone')).length === 3);
    const { messages } = listen(feed, seen);
    expect(told(messages)[0]).toBe('reset');
    expect(told(messages).filter((text) => text.startsWith('gone'))).toEqual([]);
    expect(told(messages)).toContain('pool pool-0');
  });

  it('does not look while nobody listens', async () => {
    let looks = 0;
    const counted: FakeNode = Object.assign(createFakeNode(), {
      gpus: () => {
        looks += 1;
        return [];
      },
    });
    const { stop } = listen(createLiveFeed({ node: counted, everyMs: 1 }));
    await until('a look', () => looks > 2);
    stop();
    const before = looks;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(looks).toBe(before);
  });

  it('goes on after a look that failed, and tells of it once', async () => {
    const failures: unknown[] = [];
    const { messages } = listen(feedOf({ onFailure: (thrown) => failures.push(thrown) }));
    node.failure = new Error('a view broke');
    await until('the failure', () => failures.length > 0);
    node.failure = null;
    node.statuses = [];
    await until('the next look', () => told(messages).includes('gone pool-0'));
    expect(failures).toHaveLength(1);
  });
});

describe('GET /v2/live', () => {
  let api: HttpApi;
  afterEach(() => api.close());

  it('gives thousands of pools to a slow reader, all of them, in pieces', async () => {
    api = await startHttpApi();
    api.node.statuses = Array.from({ length: 2_000 }, (_, index) => poolStatus({ pool_id: `pool-${index}` }));
    const stream = await readEvents(api, '/v2/live');
    await until('all pools', () => stream.events.filter(({ event }) => event === 'pool').length === 2_000);
    expect(stream.events.filter(({ event }) => event === 'lagged').length).toBeGreaterThan(1);
    await stream.stop();
  });

  it('is for those with the token', async () => {
    api = await startHttpApi({ token: () => 'a-token-of-this-test' });
    expect((await api.fetch('/v2/live')).status).toBe(401);
    expect((await api.fetch('/v2/inspect')).status).toBe(401);
    const stream = await readEvents(api, '/v2/live', { authorization: 'Bearer a-token-of-this-test' });
    await until('the node', () => stream.events.some(({ event }) => event === 'node'));
    await stream.stop();
  });
});
