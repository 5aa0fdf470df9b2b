/** Server-sent events: what comes, from where, for how long, and what a slow reader costs. */
import { afterEach, describe, expect, it } from 'vitest';
import { streamLimits } from '../../src/http/limits.ts';
import { transition } from '../kit/fake-history.ts';
import { type HttpApi, openSocket, readEvents, startHttpApi } from '../kit/http-api.ts';
import { until } from '../kit/until.ts';

let api: HttpApi | null = null;
const start = async (own: Partial<typeof streamLimits> | Record<string, number> = {}): Promise<HttpApi> => {
  api = await startHttpApi({ streamLimits: { ...streamLimits, ...own } });
  return api;
};
afterEach(async () => {
  await api?.close();
  api = null;
});

describe('the stream of transitions', () => {
  it('tells each transition with its journal number', async () => {
    const { journal, ...rest } = await start();
    const stream = await readEvents({ journal, ...rest }, '/v2/events');
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    journal.feed.tell(transition(7));
    await until('the event', () => stream.events.length === 1);
    expect(stream.events).toEqual([{ id: '7', event: 'transition', data: transition(7) }]);
    await stream.stop();
  });

  it('tells nothing old to a newcomer, and everything since to one who comes back', async () => {
    const here = await start();
    for (const seq of [1, 2, 3]) here.journal.feed.tell(transition(seq));
    const newcomer = await readEvents(here, '/v2/events');
    const back = await readEvents(here, '/v2/events', { 'last-event-id': '1' });
    await until('what was missed', () => back.events.length === 2);
    here.journal.feed.tell(transition(4));
    await until('what is new', () => newcomer.events.length === 1 && back.events.length === 3);
    expect(newcomer.events.map((each) => each.id)).toEqual(['4']);
    expect(back.events.map((each) => each.id)).toEqual(['2', '3', '4']);
    await Promise.all([newcomer.stop(), back.stop()]);
  });

  it.each(['x', '-1', '1.5', '99999999999999999'])('refuses the id %s', async (id) => {
    const response = await (await start()).fetch('/v2/events', { headers: { 'last-event-id': id } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'INVALID_PARAMS' });
  });

  it('shows signs of life while nothing happens', async () => {
    const here = await start({ heartbeatMs: 20 });
    const stream = await readEvents(here, '/v2/events');
    await until('two comments', () => stream.events.filter((each) => each.event === 'comment').length >= 2);
    await stream.stop();
  });

  it('forgets a client that has gone', async () => {
    const here = await start();
    const stream = await readEvents(here, '/v2/events');
    expect([here.app.streams.count(), here.journal.feed.listeners.size]).toEqual([1, 1]);
    await stream.stop();
    await until('the listener to be gone', () => here.app.streams.count() === 0 && here.journal.feed.listeners.size === 0);
  });

  it('has room for so many clients and tells the next one to wait', async () => {
    const here = await start({ clients: 2 });
    const streams = [await readEvents(here, '/v2/events'), await readEvents(here, '/v2/pools/pool-0/logs?follow=true')];
    const refused = await here.fetch('/v2/events');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    await streams[0]?.stop();
    await until('room', () => here.app.streams.count() === 1);
    const next = await readEvents(here, '/v2/events');
    expect(next.response.status).toBe(200);
    await Promise.all([next.stop(), streams[1]?.stop()]);
  });

  it('ends when the server does, and then takes nobody', async () => {
    const here = await start();
    const stream = await readEvents(here, '/v2/events');
    here.app.endStreams();
    await until('the end', stream.isEnded);
    expect(here.journal.feed.listeners.size).toBe(0);
    const refused = await here.fetch('/v2/events');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await here.fetch('/v2/pools')).status).toBe(200);
  });
});

describe('the stream of engine output', () => {
  const line = (offset: number) => ({ offset, text: `line ${offset}\u2028"\\` });

  it('begins with the tail that was asked for and misses nothing after it', async () => {
    const here = await start();
    for (const offset of [10, 20, 30]) here.logs.feed.tell(line(offset));
    const stream = await readEvents(here, '/v2/pools/pool-0/logs?follow=1&tail=2');
    await until('the tail', () => stream.events.length === 2);
    here.logs.feed.tell(line(40));
    await until('the new line', () => stream.events.length === 3);
    expect(stream.events).toEqual([20, 30, 40].map((offset) => ({ id: String(offset), event: 'line', data: line(offset) })));
    await stream.stop();
  });

  it('goes on after the last line that was seen', async () => {
    const here = await start();
    for (const offset of [10, 20, 30]) here.logs.feed.tell(line(offset));
    const stream = await readEvents(here, '/v2/pools/pool-0/logs?follow=true&tail=3', { 'last-event-id': '20' });
    await until('the rest', () => stream.events.length === 1);
    expect(stream.events.map((each) => each.id)).toEqual(['30']);
    await stream.stop();
    await until('the listener to be gone', () => here.logs.feed.listeners.size === 0);
  });

  it('is not opened for a pool that is not there', async () => {
    const here = await start();
    expect((await here.fetch('/v2/pools/pool-9/logs?follow=true')).status).toBe(404);
    expect(here.logs.feed.listeners.size).toBe(0);
  });
});

describe('a reader that does not read', () => {
  const openPaused = async (port: number) => {
    const socket = await openSocket(port);
    socket.pause();
    socket.write('GET /v2/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return socket;
  };
  const tellMuch = (here: HttpApi, from: number, count: number): void => {
    const reason = { code: 'wedged', message: 'x'.repeat(1000) } as const;
    for (let seq = from; seq < from + count; seq += 1) for (const listener of [...here.journal.feed.listeners]) listener(transition(seq, { reason }));
  };

  it('costs a bounded amount of memory', async () => {
    const here = await start();
    const socket = await openPaused(here.port);
    await until('the listener', () => here.journal.feed.listeners.size === 1);
    const before = process.memoryUsage.rss();
    for (let round = 0; round < 200; round += 1) {
      tellMuch(here, round * 500, 500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(60 * 1024 * 1024);
    expect(here.journal.feed.listeners.size).toBe(0);
    socket.destroy();
    await until('the client to be forgotten', () => here.app.streams.count() === 0);
  });

  it('is told that it lagged, and then misses nothing', async () => {
    const here = await start({ queuedBytes: 2000 });
    for (let seq = 1; seq <= 100; seq += 1) here.journal.feed.tell(transition(seq));
    const stream = await readEvents(here, '/v2/events', { 'last-event-id': '0' });
    await until('all of it', () => stream.events.at(-1)?.id === '100');
    const ids = stream.events.filter((each) => each.event === 'transition').map((each) => Number(each.id));
    expect(ids).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    const [lagged] = stream.events.filter((each) => each.event === 'lagged');
    expect(lagged).toMatchObject({ id: null, data: { after: expect.any(Number) } });
    here.journal.feed.tell(transition(101));
    await until('what is new', () => stream.events.at(-1)?.id === '101');
    expect(here.journal.feed.listeners.size).toBe(1);
    await stream.stop();
  });

  it('is cut off when it takes nothing at all for too long', async () => {
    const here = await start({ heartbeatMs: 20, stalledMs: 100 });
    const socket = await openPaused(here.port);
    await until('the listener', () => here.journal.feed.listeners.size === 1);
    // What the kernel takes at once has to be full before anything waits here.
    await until('the cut', () => {
      for (const listener of [...here.journal.feed.listeners]) listener(transition(1, { actor: 'x'.repeat(60_000) }));
      return here.app.streams.count() === 0;
    });
    expect(here.journal.feed.listeners.size).toBe(0);
    socket.destroy();
  });
});
