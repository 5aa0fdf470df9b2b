/** The charts at work in the dashboard: what is lit is what is, and a journal is gone through as it was lived. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { chromiumPath, openBrowser, openPage, says, takePicture } from '../../kit/browser.ts';
import { type Daemon, daemonHouse, type House } from '../../kit/daemon.ts';
import { foldJournal } from '../../kit/fold-journal.ts';
import { inPageWords, openJournalFile, walkJournal } from '../../kit/journal-page.ts';
import { until } from '../../kit/until.ts';

let browser: Browser | null = null;
beforeAll(async () => {
  if (chromiumPath !== null) browser = await openBrowser();
});
afterAll(() => browser?.close());

const open = async (t: TestContext): Promise<{ readonly house: House; readonly daemon: Daemon; readonly page: Page }> => {
  const house = await daemonHouse(t);
  await house.declare([house.stub('chat')]);
  const daemon = await house.start();
  await daemon.ready('chat');
  if (browser === null) return t.skip('there is no Chromium on this machine');
  const { page, complaints, close } = await openPage(browser, `${daemon.url}/statecharts#/chat`);
  page.setDefaultTimeout(30_000);
  t.onTestFinished(async () => {
    await close();
    expect(complaints).toEqual([]);
  });
  return { house, daemon, page };
};

const label = (page: Page): Promise<string> => page.evaluate("document.querySelector('.chart svg')?.getAttribute('aria-label') ?? ''");
const lit = (page: Page): Promise<number> => page.locator('.chart .node.active').count();

describe('/statecharts', () => {
  it('lights the state that the API tells of, marks what was taken last, and tells what an event did', async (t) => {
    const { house, daemon, page } = await open(t);
    await until('ready to be lit', async () => (await label(page)).endsWith('active: pool.ready.healthy'), 30_000);
    expect(await lit(page)).toBe(1);
    await page.locator('.chart .edge.last').first().waitFor({ state: 'attached' });
    await takePicture(page, 'statecharts-ready');
    await page.locator('.moments button', { hasText: 'done proveReadiness' }).first().click();
    await says(page.locator('.moment'), 'starting › proving');
    await says(page.locator('.moment .steps'), 'starting.proving → ready');
    await page.locator('.chart .edge.last').first().waitFor({ state: 'attached' });
    process.kill(house.run('chat')?.pid ?? 0, 'SIGKILL');
    await says(page.locator('.moments'), 'engine.exited');
    await daemon.sees('chat', 'ready again', ({ ready, restarts }) => ready && restarts === 1);
    await page.locator('.moments button', { hasText: 'engine.exited' }).first().click();
    await says(page.locator('.moment'), /engine\.exited/);
    await until('what was then to be lit', async () => !(await label(page)).includes('ready'), 30_000);
    await page.getByRole('navigation', { name: 'Actors' }).getByText('node', { exact: true }).click();
    await until('the node to be lit', async () => (await label(page)).includes('node.lifecycle.serving, node.gpus.known'), 30_000);
    expect(await lit(page)).toBeGreaterThan(1);
  });

  it('goes through a journal, forwards and back, and tells the story that replay tells', async (t) => {
    const { house, daemon, page } = await open(t);
    process.kill(house.run('chat')?.pid ?? 0, 'SIGKILL');
    await daemon.sees('chat', 'ready again', ({ ready, restarts }) => ready && restarts === 1);
    await daemon.ask('POST', '/v2/pools/chat/drain', {});
    await daemon.sees('chat', 'stopped', ({ state, substate }) => state === 'offline' && substate === 'stopped');
    await daemon.end();
    const { story } = foldJournal(house.stateDir);
    const last = await openJournalFile(page, join(house.stateDir, 'journal', 'events.jsonl'));
    expect(last).toBeGreaterThan(story.length);
    const forwards = await walkJournal(page, 'One on', last);
    await until('the last to be lit', async () => (await label(page)) !== '', 30_000);
    await takePicture(page, 'statecharts-journal');
    const moved = forwards.filter(({ from, to }) => from !== to).map(({ seq, event, from, to }) => [seq, event, from, to]);
    expect(moved).toEqual(
      story.filter(({ from, to }) => from !== to).map(({ seq, event, from, to }) => [seq, event, inPageWords(from), inPageWords(to)]),
    );
    expect((await walkJournal(page, 'One back', last)).toReversed()).toEqual(forwards);
    expect(await page.getByRole('button', { name: 'One back' }).isDisabled()).toBe(true);
  });
});
