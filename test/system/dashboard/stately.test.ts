/**
 * `inspect --stately` in a real browser, without a network: in the place of Stately's viewer a page of ours that receives with the very
 * code of Stately's package, from another origin.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rolldown } from 'rolldown';
import { expect, it, onTestFinished } from 'vitest';
import { chromiumPath, openBrowser, openPage, waitMs } from '../../kit/browser.ts';
import { daemonHouse } from '../../kit/daemon.ts';
import { startCommand } from '../../kit/run-command.ts';
import { until } from '../../kit/until.ts';

const entry = 'stand-in-for-the-viewer';
const receives = `
import { createBrowserReceiver } from '@statelyai/inspect';
globalThis.received = [];
createBrowserReceiver().subscribe((event) => globalThis.received.push(event));
`;

const viewerScript = async (): Promise<string> => {
  const build = await rolldown({
    input: entry,
    platform: 'browser',
    logLevel: 'silent',
    plugins: [{ name: 'entry', resolveId: (id) => (id === entry ? id : null), load: (id) => (id === entry ? receives : null) }],
  });
  const { output } = await build.generate({ format: 'iife' });
  return output[0].code;
};

const startViewer = async (): Promise<string> => {
  const script = await viewerScript();
  const server = createServer((request, response) => {
    const isScript = request.url === '/script.js';
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    response.end(isScript ? script : '<!doctype html><title>viewer</title><script src="/script.js"></script>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/inspect`;
};

it.skipIf(chromiumPath === null)("the charts of a daemon come to Stately's receiver", async (t) => {
  const house = await daemonHouse(t, { POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0' });
  await house.declare([house.stub('chat')]);
  const daemon = await house.start();
  await daemon.ready('chat');
  const viewer = await startViewer();
  const running = startCommand(['inspect', '--stately', '--no-open', '--viewer', viewer, '--url', daemon.url]);
  t.onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  const url = await until('the address of the page', () => running.stdout().trim() || null);
  const browser = await openBrowser();
  t.onTestFinished(() => browser.close());
  const { page, asked, complaints } = await openPage(browser, url);
  const frame = await until('the viewer', () => page.frames().find((each) => each.url() === viewer));
  const heard = (what: string): Promise<boolean> => frame.evaluate(`globalThis.received?.some((event) => ${what}) ?? false`);
  const actor = (name: string): string => `event.type === '@xstate.actor' && event.name.startsWith('${name}')`;
  await until('the node', () => heard(`${actor('node')} && JSON.parse(event.definition).id === 'node'`), waitMs);
  await until('the pool', () => heard(`${actor('chat#')} && JSON.parse(event.definition).id === 'pool'`), waitMs);
  await daemon.ask('POST', '/v2/pools/chat/drain', {});
  await until('the drain', () => heard("event.type === '@xstate.event' && event.event.type === 'pool.drain'"), waitMs);
  await until('the end of it', () => heard("event.type === '@xstate.snapshot' && event.snapshot.value?.offline === 'stopped'"), waitMs);
  expect(await page.locator('p').isHidden()).toBe(true);
  expect(complaints).toEqual([]);
  expect(new Set(asked.map((each) => new URL(each).origin))).toEqual(new Set([new URL(url).origin, new URL(viewer).origin]));
});

it.skipIf(chromiumPath === null)('without a network the page says where the charts are seen', async (t) => {
  const house = await daemonHouse(t);
  await house.declare([]);
  const daemon = await house.start();
  const running = startCommand(['inspect', '--stately', '--no-open', '--viewer', 'http://127.0.0.1:1/inspect', '--url', daemon.url]);
  t.onTestFinished(async () => {
    running.stop();
    await running.done;
  });
  const url = await until('the address of the page', () => running.stdout().trim() || null);
  const browser = await openBrowser();
  t.onTestFinished(() => browser.close());
  const { page } = await openPage(browser, url);
  await page.getByText('does not answer').waitFor({ timeout: waitMs });
  expect(await page.getByRole('link').getAttribute('href')).toBe(`${daemon.url}/statecharts`);
});
