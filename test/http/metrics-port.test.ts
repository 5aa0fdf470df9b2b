/** The metrics port, against a real server. */
import { expect, it } from 'vitest';
import { createMetricsApp } from '../../src/http/app.ts';
import { serve } from '../../src/http/serve.ts';
import { fakeMetrics } from '../kit/fake-history.ts';
import { exchangeRaw } from '../kit/http-api.ts';

it('serves metrics on a port of their own without a token, and nothing else', async () => {
  const bind = { host: '127.0.0.1', port: 0, loopback: true };
  const listening = await serve(createMetricsApp({ metrics: fakeMetrics, bind, allowedHosts: [] }), { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${listening.port}`;
  const metrics = await fetch(`${url}/metrics`);
  expect(metrics.status).toBe(200);
  expect(await metrics.text()).toContain('pool_ready');
  const statuses = await Promise.all(['/', '/health', '/v2/pools'].map(async (path) => (await fetch(url + path)).status));
  expect(statuses).toEqual([404, 404, 404]);
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  expect((await exchangeRaw(listening.port, 'GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'))?.status).toBe(421);
  await listening.close(50);
});
