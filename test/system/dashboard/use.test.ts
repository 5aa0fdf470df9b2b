/**
 * The dashboard as people use it: real clicks in a real browser on a running daemon with simulated GPUs. Nothing is loaded
 * anew to see what has changed, and nothing is fetched from elsewhere.
 */
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import {
  accessViolations,
  chromiumPath,
  openBrowser,
  openPage,
  type PageOptions,
  press,
  row,
  says,
  takePicture,
  type Watched,
  waitMs,
} from '../../kit/browser.ts';
import { keepBusy, stream } from '../../kit/completions.ts';
import { type Daemon, type Declared, daemonHouse, type House } from '../../kit/daemon.ts';
import { temporaryDir } from '../../kit/engine-process.ts';
import { fileServer, sha256Of } from '../../kit/file-server.ts';
import { freePorts } from '../../kit/free-ports.ts';
import { realEngine, tinyModel } from '../../kit/llama-server.ts';
import { startOrchestratorStandIn } from '../../kit/orchestrator.ts';
import { until } from '../../kit/until.ts';

let browser: Browser | null = null;
beforeAll(async () => {
  if (chromiumPath !== null) browser = await openBrowser();
});
afterAll(() => browser?.close());

interface Opened extends Watched {
  readonly house: House;
  readonly daemon: Daemon;
}

const open = async (t: TestContext, pools: (house: House) => readonly Declared[], env: Readonly<Record<string, string>> = {}): Promise<Opened> => {
  const house = await daemonHouse(t);
  await house.declare(pools(house));
  const daemon = await house.start(env);
  return { house, daemon, ...(await watch(t, daemon)) };
};

/** Closes the page with the test, and holds that it asked nobody else and did not complain. */
const watch = async (t: TestContext, daemon: Daemon, path = '/', options: PageOptions = {}): Promise<Watched> => {
  if (browser === null) return t.skip('there is no Chromium on this machine');
  const watched = await openPage(browser, `${daemon.url}${path}`, options);
  watched.page.setDefaultTimeout(waitMs);
  t.onTestFinished(async () => {
    await watched.close();
    expect(watched.asked.filter((url) => !url.startsWith(`${daemon.url}/`))).toEqual([]);
    expect(watched.complaints).toEqual([]);
  });
  return watched;
};

describe('the dashboard', () => {
  it('shows pools as they come up, one that is killed with −9 and recovers, and one that cannot start, with the reason', async (t) => {
    const { house, daemon, page } = await open(t, (at) => [
      // Long enough for a browser to be there before it is over.
      at.stub('chat', { env: { STUB_LOAD_MS: '6000' }, timeouts: { start_stall_ms: 30_000 }, slots: 4 }),
      at.stub('lost', { devices: [1], model: '/nowhere/model.gguf' }),
    ]);
    await says(row(page, 'chat'), /starting/);
    await says(row(page, 'chat'), /ready healthy/);
    await says(row(page, 'chat'), '4/4 free');
    await says(row(page, 'lost'), 'expected a readable model at /nowhere/model.gguf');
    await says(page.locator('.gpu').first(), 'chat 512.0 MiB');
    process.kill(house.run('chat')?.pid ?? 0, 'SIGKILL');
    await says(row(page, 'chat'), /starting|offline/);
    await says(row(page, 'chat'), /ready healthy/);
    await says(row(page, 'chat'), '1 restart');
    expect(await daemon.pool('chat')).toMatchObject({ restarts: 1 });
  });

  it('shows a download as it goes on', async (t) => {
    const files = await fileServer(t);
    const content = Buffer.alloc(4 * 1024 ** 2, 'a model');
    const script = [{ kind: 'stall', afterBytes: 1024 ** 2, everyMs: 50 }] as const;
    const model = files.put('/model.gguf', { content, script });
    const { page } = await open(t, (at) => [at.stub('chat', { model, model_source: { checksum: `sha256:${sha256Of(content)}` } })]);
    await says(row(page, 'chat'), /provisioning/);
    await says(row(page, 'chat').locator('.progress'), /model 1\.0 MiB of 4\.0 MiB/);
    expect(await row(page, 'chat').locator('progress').getAttribute('max')).toBe(String(content.byteLength));
  });

  it('drains a pool only once it was asked, shows what it waits for, takes it back, and starts it again', async (t) => {
    const { daemon, page } = await open(t, (at) => [at.stub('chat', { env: { STUB_TOKENS_PER_SECOND: '20' }, timeouts: { drain_ms: 60_000 } })]);
    const [chat] = await daemon.ready('chat');
    await page.getByRole('link', { name: 'chat' }).first().click();
    await says(page.locator('.title'), /ready healthy/);
    const work = stream(chat?.endpoint ?? '', 160);
    await work.begun;
    await says(page.locator('.facts'), '1 in flight');

    await press(page, 'Drain');
    await says(page.getByRole('dialog'), '1 request in flight now');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Leave it');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await daemon.pool('chat')).toMatchObject({ wanted: 'up', state: 'ready' });

    await press(page, 'Drain');
    await press(page, 'Drain chat');
    await says(page.locator('.title'), /draining emptying/);
    await press(page, 'Resume');
    await says(page.locator('.title'), /ready/);
    await says(page.locator('.orders'), 'The drain is taken back');

    await press(page, 'Drain');
    await press(page, 'Drain chat');
    await says(page.locator('.title'), /draining emptying/);
    expect((await work.done).whole).toBe(true);
    await says(page.locator('.title'), /offline stopped/);
    await says(page.locator('.why'), 'operator');
    await says(page.locator('.timeline'), /draining › emptying/);
    await press(page, 'Start');
    await says(page.locator('.title'), /ready healthy/);
  });

  it('says in words what the daemon refuses, and what came of a reload', async (t) => {
    const { daemon, page } = await open(t, (at) => [at.stub('chat')]);
    await daemon.ready('chat');
    await page.getByRole('link', { name: 'chat' }).first().click();
    await press(page, 'Drain');
    await page.getByLabel('Deadline in seconds').fill('999999');
    await press(page, 'Drain chat');
    await says(page.locator('.outcome.refused'), /deadline_ms/);
    await press(page, 'Reload');
    await press(page, 'Reload chat');
    await says(page.locator('.outcome.done'), 'It goes on as it is: nothing changes that its engine has a part in');
    await press(page, 'Reload');
    await page.getByLabel('Slots').fill('3');
    await press(page, 'Reload chat');
    await says(page.locator('.timeline'), /reloaded/);
    await page.getByText('Spec', { exact: true }).click();
    await says(page.locator('details pre'), '"slots": 3');
  });

  it('declares a pool, says what is wrong with one that is none, and removes it', async (t) => {
    const { house, page } = await open(t, () => []);
    await says(page.locator('main'), 'No pools are declared');
    const declare = async (text: string): Promise<void> => {
      await press(page, 'Declare a pool');
      await page.getByLabel('Pool', { exact: true }).fill(text);
      await press(page, 'Declare it');
    };
    await declare('chat');
    await says(page.locator('.outcome.refused'), 'Expected one pool as a JSON object');
    await declare(JSON.stringify({ ...house.stub('chat'), engine: 'lama' }));
    await says(page.locator('.outcome.refused'), /engine/);
    await declare(JSON.stringify(house.stub('chat')));
    await says(row(page, 'chat'), /ready healthy/);
    await page.getByRole('link', { name: 'chat' }).first().click();
    await says(page.locator('.facts'), 'over the API');
    await press(page, 'Remove');
    await press(page, 'Remove chat');
    await says(page.locator('main'), 'No pools are declared');
  });

  it('shows what the engine writes as it writes it, and the run before', async (t) => {
    const { house, daemon, page } = await open(t, (at) => [at.stub('chat')]);
    await daemon.ready('chat');
    await page.getByRole('link', { name: 'chat' }).first().click();
    const log = page.getByRole('region', { name: 'What the engine of chat writes' });
    const before = house.run('chat');
    await says(log, `listening on http://127.0.0.1:${before?.port}`);
    process.kill(before?.pid ?? 0, 'SIGKILL');
    await until('another engine', () => (house.run('chat')?.pid ?? before?.pid) !== before?.pid, waitMs);
    await daemon.ready('chat');
    await until('its lines', async () => ((await log.textContent()) ?? '').split('listening on').length > 2, waitMs);
    await press(page, 'The run before');
    await until('the lines of one run', async () => ((await log.textContent()) ?? '').split('listening on').length === 2, waitMs);
  });

  it('says since when it is stale while the daemon is away, and goes on by itself when it is back', async (t) => {
    const { first } = await freePorts(1);
    const env = { POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${first}` };
    const { house, daemon, page } = await open(t, (at) => [at.stub('chat')], env);
    await says(row(page, 'chat'), /ready healthy/);
    await daemon.end('SIGKILL');
    await says(page.locator('.link'), /stale since \d/);
    expect(await row(page, 'chat').textContent()).toContain('ready healthy');
    const again = await house.start(env);
    await says(page.locator('.link'), 'live');
    await again.ready('chat');
    process.kill(house.run('chat')?.pid ?? 0, 'SIGKILL');
    await says(row(page, 'chat'), '1 restart');
  });

  it('asks for the token, tells when it is wrong, and keeps it nowhere', async (t) => {
    const token = 'a-token-for-this-test-only';
    const { page } = await open(t, (at) => [at.stub('chat')], { LLORCH_API_TOKEN: token });
    await says(page.getByRole('alert'), 'This daemon wants a token');
    expect(await accessViolations(page)).toEqual([]);
    await takePicture(page, 'signing-in');
    await page.getByLabel('Token').fill('another-token-altogether');
    await press(page, 'Show the node');
    await says(page.getByRole('alert'), 'this token is not the one that is set here');
    await page.getByLabel('Token').fill(token);
    await page.keyboard.press('Enter');
    await says(row(page, 'chat'), /ready healthy/);
    await page.getByRole('link', { name: 'Statecharts' }).click();
    await says(page.getByRole('navigation', { name: 'Actors' }), 'chat#1');
    expect(await page.evaluate('JSON.stringify([localStorage.length, sessionStorage.length, document.cookie, location.href])')).toBe(
      JSON.stringify([0, 0, '', page.url()]),
    );
    expect(page.url()).not.toContain(token);
    await page.reload();
    await says(page.getByRole('alert'), 'This daemon wants a token');
  });

  it('registers and sends a heartbeat at a click, and shows what the control plane makes of it', async (t) => {
    const orchestrator = await startOrchestratorStandIn();
    t.onTestFinished(() => orchestrator.close());
    const { page } = await open(t, () => [], { ORCHESTRATORD_URL: orchestrator.url });
    await says(page.locator('.strip'), 'registered');
    await press(page, 'Heartbeat now');
    await says(page.locator('.strip'), 'Heartbeat answered');
    await orchestrator.close();
    await press(page, 'Register now');
    await says(page.locator('.outcome.refused'), /orchestratord/);
  });

  it('is used by keyboard alone', async (t) => {
    const { daemon, page } = await open(t, (at) => [at.stub('chat')]);
    await daemon.ready('chat');
    await says(row(page, 'chat'), /ready healthy/);
    const focused = (): Promise<string> => page.evaluate('document.activeElement.textContent');
    const tabTo = async (text: string): Promise<void> => {
      for (let steps = 0; steps < 30; steps += 1) {
        await page.keyboard.press('Tab');
        if ((await focused()) === text) return;
      }
      throw new Error(`30 tabs did not reach ${text}`);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    // Twice: the card of the GPU names it too.
    await tabTo('chat');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'chat' }).waitFor();
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await tabTo('Drain');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect(await focused()).toBe('Leave it');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Drain');
    expect(await daemon.pool('chat')).toMatchObject({ wanted: 'up' });
  });

  it('shows a real llama-server at work', async (t) => {
    if (realEngine === null || tinyModel === null) return t.skip('there is no llama-server on this machine, or not the tiny model');
    // One thread, which does not spin while it waits: whoever is to see it at work needs a core as well.
    const flags = ['--threads', '1', '--poll', '0'];
    const real = { model: tinyModel, slots: 4, ctx: 32_768, flags, provisioning: { mode: 'external', executable: realEngine } };
    const { daemon, page } = await open(t, (at) => [at.stub('chat', real)]);
    await says(row(page, 'chat'), /ready healthy/);
    const work = keepBusy((await daemon.pool('chat')).endpoint ?? '', 1);
    t.onTestFinished(work.stop);
    await says(row(page, 'chat'), '3/4 free');
    await work.stop();
    await says(row(page, 'chat'), '4/4 free');
  });
});

/** A file of this size that takes no room. */
const sparse = async (path: string, bytes: number): Promise<string> => {
  await writeFile(path, '');
  await truncate(path, Math.round(bytes));
  return path;
};

describe('every view', () => {
  const views = ['/', '/#/chat', '/#/nobody', '/statecharts#/chat'];

  it('keeps nobody out, by axe-core, at two widths, light and dark', async (t) => {
    const gibibyte = 1024 ** 3;
    const house = await daemonHouse(t);
    const dir = await temporaryDir();
    const models = [
      ['llama-3.1-8b-q8.gguf', 8.5],
      ['qwen2.5-coder-14b-q4.gguf', 9.2],
      ['bge-m3.gguf', 1.2],
    ] as const;
    const [chat, code, embed] = await Promise.all(models.map(([name, size]) => sparse(join(dir, name), size * gibibyte)));
    await house.declare([
      house.stub('chat', { model: chat, slots: 4, env: { STUB_TOKENS_PER_SECOND: '2' } }),
      house.stub('code', { model: code, devices: [1], env: { STUB_LOAD_MS: '600000' }, timeouts: { start_stall_ms: 600_000 } }),
      house.stub('embed', { model: embed, slots: 8 }),
      house.stub('lost', { devices: [1], model: '/nowhere/model.gguf' }),
    ]);
    const daemon = await house.start();
    const [ready] = await daemon.ready('chat', 'embed');
    const work = stream(ready?.endpoint ?? '', 5_000);
    t.onTestFinished(() => work.leave());
    await work.begun;
    const found: string[] = [];
    for (const path of views) {
      for (const width of [1280, 390]) {
        for (const dark of [false, true]) {
          const { page } = await watch(t, daemon, path, { width, dark });
          await says(page.locator('.link'), 'live');
          if (path.startsWith('/statecharts')) await page.locator('.chart .active').first().waitFor();
          else if (path === '/#/chat') await says(page.locator('.timeline'), 'ready › healthy');
          else await page.locator('h1, h2').first().waitFor();
          const name = `${{ '/': 'overview', '/#/chat': 'pool', '/#/nobody': 'no-pool' }[path] ?? 'statecharts'}-${width}-${dark ? 'dark' : 'light'}`;
          found.push(...(await accessViolations(page)).map((line) => `${name}: ${line}`));
          const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
          if (Number(overflow) > 0) found.push(`${name}: ${overflow} pixels too wide`);
          await takePicture(page, name);
        }
      }
    }
    expect(found).toEqual([]);
  });
});
