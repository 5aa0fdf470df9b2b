/** Who may ask: tokens, hosts, origins, and how often one may be wrong. */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createFailureLimiter } from '../../src/http/gate/failure-limiter.ts';
import { createHostRules } from '../../src/http/gate/hosts.ts';
import { exchangeRaw, type HttpApi, type HttpApiOptions, startHttpApi } from '../kit/http-api.ts';

const token = 'canary-token-0123456789';
let api: HttpApi | null = null;
const start = async (options: HttpApiOptions = {}): Promise<HttpApi> => {
  api = await startHttpApi({ token: () => token, ...options });
  return api;
};
afterEach(async () => {
  await api?.close();
  api = null;
});

const bearer = (value: string) => ({ headers: { authorization: value } });
const guarded = [
  '/v2/pools',
  '/v2/pools/pool-0/status',
  '/v2/gpus',
  '/v2/node',
  '/v2/events',
  '/metrics',
  '/v2/nothing',
  '/%68ealth',
  '/v2/../health',
];

describe('with a token', () => {
  it.each(guarded)('shuts %s', async (path) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(answered?.status).toBe(401);
    expect(answered?.headers.get('www-authenticate')).toBe('Bearer realm="pool-managerd"');
    expect(JSON.parse(answered?.body ?? '')).toMatchObject({ code: 'UNAUTHORIZED', retryable: false });
  });

  it.each(['/health', '/ready', '/openapi.json', '/docs'])('leaves %s open', async (path) => {
    const { fetch } = await start();
    expect((await fetch(path)).status).toBe(200);
  });

  it.each([`Bearer ${token}`, `bearer ${token}`, `BEARER  ${token}`])('lets "%s" in', async (header) => {
    const { fetch } = await start();
    expect((await fetch('/v2/pools', bearer(header))).status).toBe(200);
  });

  it.each([
    'Bearer',
    'Bearer wrong',
    `Bearer ${token}x`,
    `Bearer ${token.slice(0, -1)}`,
    `Basic ${token}`,
    token,
    `Bearer ${token} more`,
    `Bearer ${'x'.repeat(7000)}`,
  ])('keeps "%s" out', async (header) => {
    const { fetch, node } = await start();
    expect((await fetch('/v2/pools/pool-0/preload', { method: 'POST', ...bearer(header) })).status).toBe(401);
    expect(node.asked).toEqual([]);
  });

  it('takes the new token as soon as it has changed, and the old one no more', async () => {
    let current = token;
    const { fetch } = await start({ token: () => current });
    expect((await fetch('/v2/pools', bearer(`Bearer ${token}`))).status).toBe(200);
    current = 'another-token-0123456789';
    expect((await fetch('/v2/pools', bearer(`Bearer ${token}`))).status).toBe(401);
    expect((await fetch('/v2/pools', bearer(`Bearer ${current}`))).status).toBe(200);
  });

  it('stays shut when the token cannot be read for a while', async () => {
    let current: string | null = token;
    const { fetch } = await start({ token: () => current });
    current = null;
    expect((await fetch('/v2/pools')).status).toBe(401);
    expect((await fetch('/v2/pools', bearer(`Bearer ${token}`))).status).toBe(401);
  });

  it('writes no token into its log, also where it came in the path (S3)', async () => {
    const { fetch, log } = await start();
    await fetch(`/v2/pools?token=${token}`, bearer(`Bearer ${token}`));
    await fetch('/v2/pools', bearer('Bearer wrong-canary-token'));
    await fetch(`/v2/pools/${token}/status`, bearer(`Bearer ${token}`));
    expect(log.map((entry) => entry.fields['status'])).toEqual([200, 401, 404]);
    expect(log.at(-1)?.fields['path']).toBe('/v2/pools/[redacted]/status');
    expect(JSON.stringify(log)).not.toContain('canary');
  });

  it('names the token that let a request in by its fingerprint', async () => {
    const { fetch, log } = await start();
    await fetch('/v2/pools', bearer(`Bearer ${token}`));
    await fetch('/v2/pools', bearer('Bearer wrong-canary-token'));
    await fetch('/health', bearer(`Bearer ${token}`));
    await fetch('/v2/pools', { method: 'POST', body: 'x'.repeat(70_000), ...bearer(`Bearer ${token}`) });
    const fingerprint = createHash('sha256').update(token).digest('hex').slice(0, 6);
    expect(log.map(({ fields }) => [fields['status'], fields['identity']])).toEqual([
      [200, fingerprint],
      [401, null],
      [200, null],
      [413, fingerprint],
    ]);
  });
});

describe('without a token', () => {
  it('serves on loopback', async () => {
    const { fetch } = await start({ token: () => null });
    expect((await fetch('/v2/pools')).status).toBe(200);
  });

  it('serves nobody on an address that others reach', async () => {
    const { fetch } = await start({ token: () => null, loopback: false });
    expect((await fetch('/v2/pools')).status).toBe(401);
    expect((await fetch('/health')).status).toBe(200);
  });
});

describe('wrong tokens', () => {
  it('are told off after ten in a minute; the right one never is (S7)', async () => {
    const { fetch } = await start();
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1) statuses.push((await fetch('/v2/pools', bearer('Bearer wrong'))).status);
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    const refused = await fetch('/v2/pools', bearer('Bearer wrong'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS', retryable: true });
    for (let n = 0; n < 30; n += 1) expect((await fetch('/v2/pools', bearer(`Bearer ${token}`))).status).toBe(200);
    expect((await fetch('/health')).status).toBe(200);
  });

  it('are not counted where none was sent', async () => {
    const { fetch } = await start();
    for (let n = 0; n < 15; n += 1) expect((await fetch('/v2/pools')).status).toBe(401);
  });
});

describe('the limiter of failures', () => {
  const limiterAt = () => {
    const clock = { now: 0 };
    return { clock, limiter: createFailureLimiter(() => clock.now) };
  };

  it('looks at no more than ten wrong tokens a minute of a strange address (S7)', () => {
    const { clock, limiter } = limiterAt();
    let looks = 0;
    for (clock.now = 0; clock.now < 60_000; clock.now += 100) {
      if (limiter.shutOutFor('10.0.0.9') > 0) continue;
      looks += 1;
      limiter.failed('10.0.0.9');
    }
    expect(looks).toBe(10);
    expect(limiter.shutOutFor('10.0.0.9')).toBe(0);
    expect(limiter.shutOutFor('10.0.0.8')).toBe(0);
  });

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.2'])('never shuts loopback out: %s (S7)', (address) => {
    const { limiter } = limiterAt();
    for (let n = 0; n < 20; n += 1) limiter.failed(address);
    expect(limiter.shutOutFor(address)).toBe(0);
    expect(limiter.failed(address)).toBe(60_000);
  });

  it('never shuts an address out that has been right before', () => {
    const { limiter } = limiterAt();
    limiter.succeeded('10.0.0.9');
    for (let n = 0; n < 20; n += 1) limiter.failed('10.0.0.9');
    expect(limiter.shutOutFor('10.0.0.9')).toBe(0);
  });

  it('goes by a clock that nobody sets, and so does what lets a token in (S36)', async () => {
    const { fetch } = await start();
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    for (const year of ['1970', '2038', '2106']) {
      vi.setSystemTime(new Date(`${year}-02-08T00:00:00Z`));
      for (let n = 0; n < 4; n += 1) expect((await fetch('/v2/pools', bearer('Bearer wrong'))).status).toBe(year === '2106' && n >= 2 ? 429 : 401);
      expect((await fetch('/v2/pools', bearer(`Bearer ${token}`))).status).toBe(200);
    }
  });

  it('remembers a bounded number of addresses, the latest', () => {
    const { limiter } = limiterAt();
    const early = '10.1.0.0';
    for (let n = 0; n < 10; n += 1) limiter.failed(early);
    expect(limiter.shutOutFor(early)).toBeGreaterThan(0);
    for (let n = 0; n < 1024; n += 1) limiter.failed(`10.2.${n >> 8}.${n & 255}`);
    expect(limiter.shutOutFor(early)).toBe(0);
  });
});

describe('hosts', () => {
  const rules = (loopback: boolean) =>
    createHostRules({ bind: { host: loopback ? '127.0.0.1' : '0.0.0.0', loopback }, names: ['gpu-node-1', 'pools.example'] });

  it.each([
    'localhost',
    'localhost:9200',
    'LOCALHOST',
    '127.0.0.1:9200',
    '127.8.9.1',
    '[::1]:9200',
    'gpu-node-1',
    'gpu-node-1.:1',
    'Pools.Example:443',
  ])('accepts %s', (host) => expect(rules(true).accepts(host)).toBe(true));

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '',
    'localhost:9200:1',
    'a b',
    '[::1',
    'user@localhost',
    'localhost/x',
    '2130706433',
  ])('refuses %s on loopback', (host) => expect(rules(true).accepts(host)).toBe(false));

  it('accepts addresses, which cannot be rebound, where others reach the daemon', () => {
    expect(rules(false).accepts('10.0.0.5:9200')).toBe(true);
    expect(rules(false).accepts('[fd00::5]:9200')).toBe(true);
    expect(rules(false).accepts('evil.example')).toBe(false);
  });

  it.each(['evil.example', 'localhost.evil.example:80'])('answers for %s with 421, also at an open path (S8)', async (host) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(answered?.status).toBe(421);
    expect(JSON.parse(answered?.body ?? '')).toMatchObject({ code: 'MISDIRECTED', message: expect.stringContaining('POOL_MANAGERD_ALLOWED_HOSTS') });
  });

  it('answers for a host that was allowed', async () => {
    const { port } = await start({ allowedHosts: ['pools.example'] });
    const answered = await exchangeRaw(port, 'GET /health HTTP/1.1\r\nHost: pools.example:8443\r\nConnection: close\r\n\r\n');
    expect(answered?.status).toBe(200);
  });
});

describe('origins', () => {
  const withOrigin = (origin: string, host: string) =>
    `POST /v2/pools/pool-0/preload HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;

  it.each(['http://localhost:9200', 'https://localhost:9200', 'HTTP://LOCALHOST:9200'])('lets our own page %s order', async (origin) => {
    const { port } = await start({ token: () => null });
    expect((await exchangeRaw(port, withOrigin(origin, 'localhost:9200')))?.status).toBe(202);
  });

  it.each(['http://evil.example', 'null', 'http://localhost:3000', 'http://127.0.0.1:9200', 'file://', 'http://localhost:9200.evil.example'])(
    'lets no page of %s order (S8, S9)',
    async (origin) => {
      const { port, node } = await start({ token: () => null });
      const answered = await exchangeRaw(port, withOrigin(origin, 'localhost:9200'));
      expect(answered?.status).toBe(403);
      expect(JSON.parse(answered?.body ?? '')).toMatchObject({ code: 'FORBIDDEN_ORIGIN' });
      expect(node.asked).toEqual([]);
    },
  );

  it('answers no preflight of another page (S8)', async () => {
    const { port } = await start({ token: () => null });
    const answered = await exchangeRaw(
      port,
      'OPTIONS /v2/pools HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n',
    );
    expect(answered?.status).toBe(403);
    expect([...(answered?.headers.keys() ?? [])].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});
