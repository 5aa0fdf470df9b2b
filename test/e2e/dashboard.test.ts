/** The dashboard of a real daemon, without a browser: every file that the page loads, and the streams that it reads. */
import { describe, expect, it } from 'vitest';
import { createEventParser } from '../../src/cli/sse.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { until } from '../kit/until.ts';

/** What a stream says, read until it is stopped. */
const listen = async (url: string) => {
  const ending = new AbortController();
  const response = await fetch(url, { signal: ending.signal });
  const seen: Readonly<Record<string, unknown>>[] = [];
  const take = createEventParser(({ event, data }) => seen.push({ event, ...JSON.parse(data) }));
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) take(decoder.decode(chunk, { stream: true }));
  })().catch(() => undefined);
  return {
    seen,
    stop: async () => {
      ending.abort();
      await reading;
    },
  };
};

describe.concurrent('the dashboard of a daemon', patient, () => {
  it('is served whole: the page, its scripts, and the charts', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const { url } = await house.start();
    const page = await (await fetch(`${url}/`)).text();
    const wanted = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? '');
    const loaded = new Set(['/assets/pool.svg', '/assets/node.svg', '/assets/registration.svg']);
    for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
      if (loaded.has(path)) continue;
      loaded.add(path);
      const text = await (await fetch(url + path)).text();
      for (const [, to] of text.matchAll(/^(?:import|export)[^;]*? from '\.\/([^']+)';/gm)) wanted.push(`/assets/${to}`);
    }
    expect(loaded.size).toBeGreaterThan(25);
    for (const path of loaded) expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
  });

  it('is told of pools as they are, with what they accept, and of what their charts do', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('chat', { env: { APP_SECRET: 'not_to_be_seen' } })]);
    const daemon = await house.start();
    const [views, charts] = await Promise.all([listen(`${daemon.url}/v2/live`), listen(`${daemon.url}/v2/inspect`)]);
    await daemon.ready('chat');
    await until('the view of a ready pool', () =>
      views.seen.some((said) => said['event'] === 'pool' && said['state'] === 'ready' && String(said['accepts']) === 'preload,drain,reload'),
    );
    await until('the chart', () => charts.seen.some((said) => said['actor'] === 'chat#1' && Object(said['snapshot']).path === 'ready.healthy'));
    const { body } = await daemon.ask('GET', '/v2/pools/chat/spec');
    expect(body).toMatchObject({ pool_id: 'chat', spec: { engine: 'llamacpp', env: { APP_SECRET: '[redacted]' } } });
    expect(JSON.stringify([views.seen, charts.seen, body])).not.toContain('not_to_be_seen');
    await Promise.all([views.stop(), charts.stop()]);
  });
});
