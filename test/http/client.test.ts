/** The typed client and the metrics port, each against a real server. */
import { expect, expectTypeOf, it } from 'vitest';
import { createMetricsApp } from '../../src/http/app.ts';
import { createClient } from '../../src/http/client.ts';
import { serve } from '../../src/http/serve.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { fakeMetrics } from '../kit/fake-history.ts';
import { exchangeRaw, startHttpApi } from '../kit/http-api.ts';

it('speaks to the daemon in types', async () => {
  const token = 'a-token-of-some-length';
  const api = await startHttpApi({ token: () => token });
  const client = createClient(api.url, token);
  const pools = await (await client.v2.pools.$get()).json();
  expectTypeOf(pools.pools).toEqualTypeOf<readonly PoolStatus[]>();
  expect(pools.count).toBe(1);
  const drained = await client.v2.pools[':id'].drain.$post({ param: { id: 'pool-0' }, json: { deadline_ms: 5 } });
  expect(drained.status).toBe(202);
  expect((await drained.json()).pool_id).toBe('pool-0');
  const reloaded = await client.v2.pools[':id'].reload.$post({ param: { id: 'pool-0' }, json: { new_model_ref: 'b' } });
  expect((await reloaded.json()).operation_id).toBe('operation-1');
  const events = await client.v2.pools[':id'].events.$get({ param: { id: 'pool-0' }, query: { limit: '5' } });
  expect((await events.json()).events).toEqual([]);
  expect(api.node.asked).toEqual([
    ['drain', 'pool-0', 5],
    ['reload', 'pool-0', { model: 'b' }],
  ]);
  expect((await createClient(api.url, null).v2.pools.$get()).status).toBe(401);
  await api.close();
});

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
