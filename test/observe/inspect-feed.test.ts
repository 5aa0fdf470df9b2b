/** `GET /v2/inspect`: what actors do, in XState's words, without secrets and bulk, kept in a bounded number. */
import { describe, expect, it } from 'vitest';
import { assign, createActor, createMachine } from 'xstate';
import type { InspectMessage } from '../../src/http/ports.ts';
import { createInspectFeed } from '../../src/observe/inspect-feed.ts';
import { growthOver } from '../fuzz/memory.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

const listen = (feed: ReturnType<typeof createInspectFeed>, after: number | null = null) => {
  const messages: InspectMessage[] = [];
  const stop = feed.follow(after, (message) => messages.push(message));
  return { messages, stop, of: (actor: string) => messages.filter((message) => message['actor'] === actor) };
};

describe('the inspect feed', () => {
  it('tells of actors, events, the transitions taken with their actions, and where it led', async () => {
    const feed = createInspectFeed();
    const system = startSmallSystem(feed.inspect);
    const { of } = listen(feed);
    const pool = system.add('pool-0');
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'pool.start' });
    await until('the engine to be spawned', () => of('pool-0#1').some((message) => JSON.stringify(message).includes('xstate.done.actor.spawn')));
    const own = of('pool-0#1');
    expect(own.map(({ type }) => type)).toEqual(expect.arrayContaining(['@xstate.actor', '@xstate.event', '@xstate.microstep', '@xstate.snapshot']));
    const step = own.find(({ type, event }) => type === '@xstate.microstep' && Object(event).type === 'pool.start');
    expect(step?.['transitions']).toMatchObject([{ source: 'pool.uninitialized', eventType: 'pool.start', guard: null }]);
    const snapshot = own.find(({ type, event }) => type === '@xstate.snapshot' && Object(event).type === 'pool.start');
    expect(snapshot).toMatchObject({
      machine: 'pool',
      snapshot: { status: 'active', value: { provisioning: 'engine' }, path: 'provisioning.engine' },
    });
  });

  it('leaves out secrets, contexts and samples', async () => {
    const feed = createInspectFeed();
    const system = startSmallSystem(feed.inspect);
    const pool = system.add('pool-0', { HF_TOKEN: 'hf_secret' });
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'pool.start' });
    pool.send({ type: 'engine.sampled', outcome: 'ok', at: 1 });
    const { messages } = listen(feed);
    await until('the engine to be spawned', () => JSON.stringify(messages).includes('xstate.done.actor.spawn'));
    expect(JSON.stringify(messages)).not.toMatch(/hf_secret|sk-secret|engine\.sampled|"context"/);
  });

  it('keeps a bounded number, and still tells of a machine that did nothing since', () => {
    const feed = createInspectFeed({ kept: 50 });
    const system = startSmallSystem(feed.inspect);
    system.add('pool-0');
    const busy = system.add('pool-1');
    for (let index = 0; index < 200; index += 1) busy.send({ type: 'pool.drain' });
    const { messages, of } = listen(feed);
    expect(messages.length).toBeLessThanOrEqual(50 + 3);
    expect(of('pool-0#1')).toMatchObject([{ type: '@xstate.actor', machine: 'pool', snapshot: { status: 'active', path: 'uninitialized.idle' } }]);
    expect(messages.every(({ id }, index) => index === 0 || id > (messages[index - 1]?.id ?? 0))).toBe(true);
  });

  it('keeps no context that its actor has left behind', async () => {
    const feed = createInspectFeed();
    const machine = createMachine({
      id: 'pool',
      context: { held: Array.of<number>() },
      on: { 'pool.drain': { actions: assign({ held: () => Array.from({ length: 10_000 }, (_, index) => index) }) } },
    });
    const pool = createActor(machine, { inspect: feed.inspect }).start();
    const grown = await growthOver(() => {
      for (let index = 0; index < 200; index += 1) pool.send({ type: 'pool.drain' });
    });
    expect(listen(feed).messages.length).toBeGreaterThan(400);
    expect(grown).toBeLessThan(2 * 1024 * 1024);
  });

  it('goes on where a reader was, and has one of an earlier daemon forget first', () => {
    const feed = createInspectFeed({ now: () => 1_000_000 });
    const system = startSmallSystem(feed.inspect);
    system.add('pool-0');
    const first = listen(feed);
    first.stop();
    const last = first.messages.at(-1)?.id ?? 0;
    system.add('pool-1');
    const second = listen(feed, last);
    expect(second.messages.length).toBeGreaterThan(0);
    expect(second.messages.every(({ id }) => id > last)).toBe(true);
    expect(listen(feed, 5).messages[0]).toEqual({ id: 1_000_000, type: 'reset' });
    expect(listen(feed, 5).messages.length).toBe(1 + listen(feed).messages.length);
  });

  it('shortens what is long, forgets whoever has ended, and is not hurt by a reader that fails', () => {
    const feed = createInspectFeed({ kept: 4 });
    const system = startSmallSystem(feed.inspect);
    const pool = system.add('pool-0', { LONG: 'x'.repeat(20_000) });
    let breaks = false;
    feed.follow(null, () => {
      if (breaks) throw new Error('a reader failed');
    });
    expect(feed.failures()).toBe(0);
    breaks = true;
    pool.send({ type: 'pool.remove' });
    expect(feed.failures()).toBeGreaterThan(0);
    for (let index = 0; index < 20; index += 1) system.add('other');
    const { messages } = listen(feed);
    expect(messages.map(({ actor }) => actor)).not.toContain('pool-0#1');
    expect(JSON.stringify(messages).length).toBeLessThan(20_000);
  });
});
