import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type RawData, WebSocketServer } from 'ws';
import { createInspectorBridge, type InspectorBridge } from '../../src/observe/inspector-bridge.ts';
import { startSmallSystem } from '../kit/small-system.ts';
import { until } from '../kit/until.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const listen = async (port = 0) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port });
  await once(server, 'listening');
  const messages: Record<string, unknown>[] = [];
  server.on('connection', (socket) => socket.on('message', (data: RawData) => messages.push(JSON.parse(data.toString()))));
  const close = () => {
    for (const client of server.clients) client.terminate();
    server.close();
  };
  cleanups.push(close);
  const { port: bound } = server.address() as AddressInfo;
  return { messages, close, port: bound, url: `ws://127.0.0.1:${bound}`, texts: () => messages.map((message) => JSON.stringify(message)).join('\n') };
};

const bridgeTo = (url: string, troubles: string[] = []): InspectorBridge => {
  const bridge = createInspectorBridge({ url, retryMs: 10, onTrouble: (message) => troubles.push(message) });
  cleanups.push(() => bridge.close());
  return bridge;
};

describe('the inspector bridge', () => {
  it("shows actors with their charts, events and snapshots of a real system in Stately's words", async () => {
    const listener = await listen();
    const system = startSmallSystem(bridgeTo(listener.url).inspect);
    const pool = system.add('pool-0', { HF_TOKEN: 'hf_secret', LONG: 'x'.repeat(10_000) });
    pool.send({ type: 'pool.start' });
    await until('a snapshot of the started pool', () => listener.texts().includes('"value":{"provisioning":"engine"}'));
    const actor = listener.messages.find(({ type, name }) => type === '@xstate.actor' && name === 'pool-0#1');
    expect(JSON.parse(String(actor?.['definition']))).toMatchObject({ id: 'pool', initial: 'uninitialized' });
    const session = actor?.['sessionId'];
    expect(listener.messages.filter(({ sessionId }) => sessionId === session).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['@xstate.actor', '@xstate.event', '@xstate.snapshot']),
    );
    expect(listener.messages.find(({ type, sessionId }) => type === '@xstate.event' && sessionId === session)).toMatchObject({
      event: { type: 'xstate.init' },
    });
    expect(listener.texts()).not.toContain('hf_secret');
    expect(listener.texts()).not.toContain('x'.repeat(3_000));
  });

  it('tells a listener that comes late or comes back which actors there are', async () => {
    const first = await listen();
    const troubles: string[] = [];
    const bridge = bridgeTo(first.url, troubles);
    const system = startSmallSystem(bridge.inspect);
    system.add('pool-0');
    await until('the first listener to know', () => first.texts().includes('"name":"pool-0#1"'));
    first.close();
    await until('the loss to be noticed', () => troubles.length > 0);
    const second = await listen(first.port);
    await until('the second listener to know', () => second.texts().includes('"name":"pool-0#1"') && second.texts().includes('"name":"node"'));
    expect(troubles).toHaveLength(1);
  });

  it('keeps a bounded number of messages while nobody listens, and counts the rest', async () => {
    const gone = await listen();
    gone.close();
    const bridge = bridgeTo(gone.url);
    const system = startSmallSystem(bridge.inspect);
    const pool = system.add('pool-0');
    for (let index = 0; index < 1_000; index += 1) pool.send({ type: 'engine.sampled', outcome: 'ok', at: index });
    await until('messages to be dropped', () => bridge.dropped() > 0);
    const back = await listen(gone.port);
    await until('what was kept', () => back.messages.length > 400);
    expect(back.messages.length).toBeLessThan(600);
    expect(back.texts()).toContain('"at":999');
  });

  it('with an address that is none says so and leaves the daemon alone', () => {
    const troubles: string[] = [];
    const bridge = bridgeTo('not a url', troubles);
    expect(() => startSmallSystem(bridge.inspect).add('pool-0')).not.toThrow();
    expect(troubles[0]).toContain('POOL_MANAGERD_INSPECT');
  });
});
