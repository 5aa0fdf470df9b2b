/** The charts of a daemon for Stately's viewer: put into its words, and relayed to a page of this machine and to nobody else. */
import { readFile } from 'node:fs/promises';
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openRelay } from '../../src/cli/stately/relay.ts';
import { createTranslator, type Message, protocolVersion, type Told } from '../../src/cli/stately/translate.ts';
import { charts } from '../../src/machines/charts.ts';
import { createInspectFeed } from '../../src/observe/inspect-feed.ts';
import { exchangeRaw, startHttpApi } from '../kit/http-api.ts';
import { driveRegistration, settled } from '../kit/registration-driver.ts';
import { startCommand } from '../kit/run-command.ts';
import { until } from '../kit/until.ts';

const common = { at: '2026-01-01T00:00:00.000Z', sessionId: 'x:1', rootId: 'x:0', actor: 'chat#1', parent: 'node', source: null, machine: null };
const message = (own: Partial<Message>): Message => ({ id: 1, type: '@xstate.event', ...common, ...own });

describe('a translator', () => {
  it('tells an actor with its chart before what it does, and nothing of effects', () => {
    const translate = createTranslator(charts);
    const node = message({ type: '@xstate.actor', sessionId: 'x:0', actor: 'node', parent: null, machine: 'node', snapshot: { status: 'active' } });
    expect(translate(node)).toMatchObject([{ type: '@xstate.actor', name: 'node', sessionId: 'x:0' }]);
    expect(translate(message({ type: '@xstate.actor', snapshot: { status: 'active' } }))).toEqual([]);
    const snapshot = { status: 'active', value: { ready: 'healthy' }, path: 'ready.healthy' };
    const told = translate(message({ type: '@xstate.snapshot', machine: 'pool', event: { type: 'pool.start' }, snapshot }));
    expect(told).toMatchObject([
      { type: '@xstate.actor', name: 'chat#1', parentId: 'x:0', snapshot: { value: { ready: 'healthy' } } },
      { type: '@xstate.snapshot', event: { type: 'pool.start' }, snapshot: { status: 'active', value: { ready: 'healthy' }, context: {} } },
    ]);
    expect(JSON.parse(String(told[0]?.['definition']))).toMatchObject({ id: 'pool', initial: 'uninitialized' });
    expect(translate(message({ event: { type: 'pool.drain' }, source: 'node' }))).toMatchObject([{ event: { type: 'pool.drain' }, sourceId: 'x:0' }]);
    expect(translate(message({ sessionId: 'x:7', actor: 'spawnEngine', event: { type: 'x' } }))).toEqual([]);
    const done = { status: 'done', value: 'ended' };
    expect(translate(message({ type: '@xstate.snapshot', machine: 'pool', event: { type: 'x' }, snapshot: done }))).toHaveLength(1);
    expect(translate(message({ event: { type: 'late' } }))).toEqual([]);
  });

  it('uses the shapes of the package that the viewer is made with, of the version that is installed', async () => {
    const theirs: StatelyInspectionEvent[] = [];
    const ours: Told[] = [];
    const translate = createTranslator(charts);
    const feed = createInspectFeed();
    feed.follow(null, (told) => ours.push(...translate(JSON.parse(JSON.stringify({ ...common, actor: null, parent: null, ...told })))));
    const inspector = createInspector({ send: (event) => theirs.push(event) });
    await settled(
      driveRegistration((event) => {
        inspector.inspect.next?.(event);
        feed.inspect(event);
      }),
    );
    for (const type of ['@xstate.actor', '@xstate.event', '@xstate.snapshot'] as const) {
      const [one, other] = [ours.find((told) => told.type === type), theirs.find((told) => told.type === type)];
      expect(Object.keys(one ?? {}).sort(), type).toEqual(Object.keys(other ?? {}).sort());
      expect(one?.['_version']).toBe(protocolVersion);
    }
    const { dependencies } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(protocolVersion).toBe(dependencies['@statelyai/inspect']);
  });
});

const actorTold: Told = { type: '@xstate.actor', sessionId: 'x:1', name: 'chat' };
const eventTold = (at: number): Told => ({ type: '@xstate.event', sessionId: 'x:1', at });

describe('the relay', () => {
  const open = async () => {
    const relay = await openRelay({ port: 0, viewer: new URL('https://viewer.invalid/inspect'), offline: 'http://127.0.0.1:9200/statecharts' });
    onTestFinished(() => relay.close());
    return relay;
  };

  it('has a page with the viewer and nothing else from elsewhere', async () => {
    const relay = await open();
    const page = await fetch(relay.url);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-.*; frame-src https:\/\/viewer\.invalid;/);
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(await page.text()).toContain('<iframe src="https://viewer.invalid/inspect"');
  });

  it('answers nobody who does not know its path, or comes by another name', async () => {
    const relay = await open();
    const { origin, port, pathname } = new URL(relay.url);
    for (const path of ['/', '/events', `${pathname}x`]) expect((await fetch(origin + path)).status).toBe(404);
    expect((await fetch(relay.url, { method: 'POST' })).status).toBe(404);
    const rebound = await exchangeRaw(Number(port), `GET ${pathname}events HTTP/1.1\r\nHost: evil.example:${port}\r\nConnection: close\r\n\r\n`);
    expect(rebound?.status).toBe(404);
  });

  it('tells a page that comes late which actors there are, and a bounded number of what they did', async () => {
    const relay = await open();
    relay.tell(actorTold);
    for (let at = 0; at < 2_100; at += 1) relay.tell(eventTold(at));
    const response = await fetch(`${relay.url}events`);
    let text = '';
    void (async () => {
      for await (const chunk of response.body ?? []) text += new TextDecoder().decode(chunk);
    })();
    await until('all that is kept', () => text.includes('"at":2099'));
    expect(text.startsWith(`event: told\ndata: ${JSON.stringify(actorTold)}\n\n`)).toBe(true);
    expect(text).not.toContain('"at":99}');
    expect(text).toContain('"at":100}');
    relay.reset();
    await until('the reset', () => text.includes('event: reset'));
  });
});

describe('inspect --stately', () => {
  it('prints the address of the page, says what needs a network, and relays what the daemon tells', async () => {
    const api = await startHttpApi();
    onTestFinished(() => api.close());
    const running = startCommand(['inspect', '--stately', '--no-open', '--viewer', 'http://127.0.0.1:1/viewer', '--url', api.url]);
    const url = await until('the address', () => /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f-]{36}\/\n$/.exec(running.stdout())?.[0].trim());
    await until('the hint', () => running.stderr().includes(`which needs a network. Without one: ${api.url}/statecharts`));
    expect((await fetch(url)).status).toBe(200);
    running.stop();
    expect((await running.done).exitCode).toBe(0);
    await expect(fetch(url)).rejects.toThrow();
  });

  it.each([
    [['--viewer', 'ftp://x'], '--viewer: expected an address such as'],
    [['--port', '99999'], '--port'],
  ])('refuses %j (64)', async (args, said) => {
    const { exitCode, stderr } = await startCommand(['inspect', '--stately', '--no-open', ...args, '--url', 'http://127.0.0.1:1']).done;
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining(said)]);
  });
});
