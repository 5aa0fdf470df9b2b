/**
 * What the dashboard costs: to load, to scroll with 500 pools, and the daemon while it is open. As ratios to the same without
 * it where the machine is shared; absolute numbers are the best of several.
 */
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { chromiumPath, openBrowser, openPage, says } from '../../kit/browser.ts';
import { type Daemon, daemonHouse } from '../../kit/daemon.ts';
import { freePorts } from '../../kit/free-ports.ts';
import { until } from '../../kit/until.ts';

let browser: Browser | null = null;
beforeAll(async () => {
  if (chromiumPath !== null) browser = await openBrowser();
});
afterAll(() => browser?.close());

const look = async (t: TestContext, daemon: Daemon, path = '/'): Promise<Page> => {
  if (browser === null) return t.skip('there is no Chromium on this machine');
  const { page, close } = await openPage(browser, `${daemon.url}${path}`);
  t.onTestFinished(close);
  page.setDefaultTimeout(60_000);
  await says(page.locator('.link'), 'live');
  return page;
};

/** User and system time of a process, in milliseconds. */
const cpuMs = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
};

/** Share of a core over a while. */
const shareOver = async (pid: number, ms: number): Promise<number> => {
  const [begun, before] = [performance.now(), cpuMs(pid)];
  await wait(ms);
  return (cpuMs(pid) - before) / (performance.now() - begun);
};

/** Bytes of a body as they cross the wire. */
const weigh = (url: string): Promise<number> =>
  new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.byteLength;
      });
      response.on('end', () => resolve(bytes));
    }).on('error', reject);
  });

const restMs = 10_000;

describe('the dashboard', () => {
  it('paints within 200 ms, and all it loads is less than 150 kB', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('chat')]);
    const daemon = await house.start();
    await daemon.ready('chat');
    const page = await look(t, daemon);
    const paints: number[] = [];
    for (let load = 0; load < 8; load += 1) {
      await page.reload();
      await says(page.locator('.link'), 'live');
      paints.push(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"));
    }
    const loaded: readonly string[] = await page.evaluate(
      "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/assets/'))",
    );
    const weights = await Promise.all([`${daemon.url}/`, ...loaded].map(weigh));
    const weight = weights.reduce((sum, one) => sum + one, 0);
    console.log(`first contentful paint ${paints.map(Math.round).join(', ')} ms; ${weights.length} files, ${weight} bytes compressed`);
    expect(Math.min(...paints)).toBeLessThan(200);
    expect(weights.length).toBeGreaterThan(10);
    expect(weight).toBeLessThan(150_000);
  });

  it('scrolls through 500 pools within the time of a frame, and filters them', async (t) => {
    const house = await daemonHouse(t);
    await house.declare(Array.from({ length: 500 }, (_, index) => house.stub(`pool-${String(index).padStart(3, '0')}`, { preload: false })));
    const daemon = await house.start();
    const page = await look(t, daemon);
    await says(page.locator('.heading'), '0 of 500 ready');
    await until('all of them', async () => (await page.locator('li[data-pool]').count()) === 500, 30_000);
    // In time of the processor: on a machine that is shared, what the clock says is mostly others' work.
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
    const busyMs = async (): Promise<number> => {
      const { metrics } = await cdp.send('Performance.getMetrics');
      return (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN) * 1000;
    };
    const scroll = async (): Promise<number> => {
      const before = await busyMs();
      const frames: number = await page.evaluate(`new Promise((resolve) => {
        let frames = 0;
        const step = () => {
          frames += 1;
          scrollBy(0, 100);
          if (frames < 100) requestAnimationFrame(step);
          else resolve(frames);
        };
        requestAnimationFrame(step);
      })`);
      return ((await busyMs()) - before) / frames;
    };
    const rounds = [await scroll(), await scroll(), await scroll()];
    const perFrame = Math.min(...rounds);
    const [rested, begun] = [await busyMs(), performance.now()];
    await wait(restMs);
    const atRest = ((await busyMs()) - rested) / (performance.now() - begun);
    console.log(
      `500 pools: ${rounds.map((ms) => ms.toFixed(1)).join(', ')} ms of the page's thread a frame while scrolling; ${(atRest * 100).toFixed(1)} % of a core at rest`,
    );
    expect(await page.evaluate('scrollY')).toBeGreaterThan(20_000);
    expect(perFrame).toBeLessThan(1000 / 60);
    expect(atRest).toBeLessThan(0.1);
    await page.getByRole('searchbox').fill('pool-49');
    await until('those that are sought', async () => (await page.locator('li[data-pool]').count()) === 10, 30_000);
  });

  it('costs the daemon less than 2 % of a core while it is open', async (t) => {
    const { first } = await freePorts(20);
    const house = await daemonHouse(t, { POOL_MANAGERD_PORT_RANGE: `${first}-${first + 19}` });
    const ids = Array.from({ length: 4 }, (_, index) => `pool-${index}`);
    await house.declare(ids.map((id) => house.stub(id, { health: { interval_ms: 2_000, timeout_ms: 2_000 } })));
    const daemon = await house.start();
    for (const id of ids) await daemon.sees(id, 'ready', ({ ready }) => ready, 120_000);
    await wait(2_000);
    const shares: { readonly without: number; readonly open: number }[] = [];
    // Beside each other in time, since others use the machine too.
    for (let round = 0; round < 3; round += 1) {
      const without = await shareOver(daemon.pid, restMs);
      const page = await look(t, daemon);
      await says(page.locator('.heading'), '4 of 4 ready');
      await wait(500);
      const open = await shareOver(daemon.pid, restMs);
      await page.close();
      shares.push({ without, open });
    }
    const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
    console.log(shares.map(({ without, open }) => `${percent(without)} without, ${percent(open)} with it open`).join('; '));
    expect(Math.min(...shares.map(({ without, open }) => open - without))).toBeLessThan(0.02);
  });
});
