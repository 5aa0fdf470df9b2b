/** The charts at work in the dashboard: what is lit is what is, and a journal is gone through as it was lived. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { chromiumPath, openBrowser, openPage, press, says, takePicture } from '../../kit/browser.ts';
import { type Daemon, daemonHouse, type House } from '../../kit/daemon.ts';
import { foldJournal } from '../../kit/fold-journal.ts';
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
    await page.getByLabel('Open a journal').setInputFiles(join(house.stateDir, 'journal', 'events.jsonl'));
    await page.getByRole('slider').waitFor();
    const [, last = 0] = /1 of (\d+)/.exec((await page.locator('.stepper').textContent()) ?? '') ?? [];
    expect(Number(last)).toBeGreaterThan(story.length);
    const seen = async (): Promise<string> =>
      page.evaluate(`(() => {
        const facts = [...document.querySelectorAll('.moment dd')].map((one) => one.textContent);
        const event = document.querySelector('.moment dd code').title;
        return JSON.stringify([Number(document.querySelector('.moment').dataset.moment), event, facts[2].startsWith('nothing') ? '' : facts[2], facts[3]]);
      })()`);
    const walk = async (button: string): Promise<readonly string[]> => {
      const told = [await seen()];
      for (let step = 1; step < Number(last); step += 1) {
        await press(page, button);
        await until('the next one', async () => (await seen()) !== told.at(-1));
        told.push(await seen());
      }
      return told;
    };
    const forwards = await walk('One on');
    await until('the last to be lit', async () => (await label(page)) !== '', 30_000);
    await takePicture(page, 'statecharts-journal');
    const inWords = (path: string): string =>
      path
        .replaceAll(/[()]/g, '')
        .replaceAll('.', ' › ')
        .replaceAll(',', ' + ')
        .replaceAll(/([a-z])([A-Z])/g, (_, one: string, other: string) => `${one} ${other.toLowerCase()}`);
    const moved = forwards.map((text) => JSON.parse(text)).filter(([, , from, to]) => from !== to);
    expect(moved).toEqual(story.filter(({ from, to }) => from !== to).map(({ seq, event, from, to }) => [seq, event, inWords(from), inWords(to)]));
    expect((await walk('One back')).toReversed()).toEqual(forwards);
    expect(await page.getByRole('button', { name: 'One back' }).isDisabled()).toBe(true);
  });
});
