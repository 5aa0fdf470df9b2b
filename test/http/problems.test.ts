/** What goes wrong, and how it is said: one shape, the right status, the headers that belong to it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';
import { nodeView } from '../kit/views.ts';

let api: HttpApi;
beforeAll(async () => {
  api = await startHttpApi();
});
afterEach(() => {
  api.node.failure = null;
  api.node.asked.length = 0;
});
afterAll(() => api.close());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const problem = async (response: Response): Promise<{ status: number; body: unknown }> => ({ status: response.status, body: await response.json() });

describe('paths and methods', () => {
  it('names a path that it does not know', async () => {
    expect(await problem(await api.fetch('/v2/nothing'))).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND', message: expect.stringContaining('/v2/nothing') },
    });
  });

  it.each([
    ['PUT', '/v2/pools', 'GET, HEAD, POST'],
    ['DELETE', '/health', 'GET, HEAD'],
    ['GET', '/v2/pools/pool-0/drain', 'POST'],
    ['OPTIONS', '/v2/pools/pool-0/status', 'GET, HEAD, POST'],
    ['PATCH', '/v2/pools/pool-0', 'DELETE'],
  ])('answers %s %s with 405 and what is allowed: %s', async (method, path, allow) => {
    const response = await api.fetch(path, { method });
    expect(response.headers.get('allow')).toBe(allow);
    expect(await problem(response)).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED', retryable: false } });
  });

  it('answers HEAD as GET, without a body', async () => {
    for (const path of ['/health', '/ready', '/v2/pools', '/v2/pools/pool-0/status', '/metrics', '/v2/events']) {
      const response = await api.fetch(path, { method: 'HEAD' });
      expect([path, response.status, await response.text()]).toEqual([path, 200, '']);
    }
    expect(api.app.streams.count()).toBe(0);
    expect(api.journal.feed.listeners.size).toBe(0);
  });
});

describe('pool ids', () => {
  it.each(['GET /status', 'POST /status', 'POST /drain', 'POST /preload', 'POST /resume', 'POST /reload', 'GET /events', 'GET /logs', 'DELETE '])(
    'names the pool that is not there to %s',
    async (route) => {
      const [method = '', rest = ''] = route.split(' ');
      expect(await problem(await api.fetch(`/v2/pools/pool-9${rest}`, { method }))).toMatchObject({
        status: 404,
        body: { code: 'POOL_NOT_FOUND', message: expect.stringContaining('pool-9') },
      });
    },
  );

  it('of pools that are not known yet are not denied while the daemon begins', async () => {
    const { node } = api.node;
    api.node.node = () => nodeView({ lifecycle: 'booting' });
    try {
      for (const path of ['/v2/pools', '/v2/pools/pool-9/status', '/v2/pools/pool-9/events']) {
        const response = await api.fetch(path);
        expect(response.headers.get('retry-after')).toBe('1');
        expect(await problem(response)).toMatchObject({ status: 503, body: { code: 'POOL_UNAVAILABLE', retryable: true } });
      }
      expect((await api.fetch('/v2/pools/-/status')).status).toBe(400);
    } finally {
      api.node.node = node;
    }
  });

  it.each(['Pool-0', '-pool', 'pool-', 'a'.repeat(64), '..%2Fetc', 'pool%2500', 'pool%0Aline', '%25%70ool', 'pöol', 'pool%252D0'])(
    'refuses the malformed id %s',
    async (id) => {
      expect(await problem(await api.fetch(`/v2/pools/${id}/status`))).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS' } });
    },
  );

  it('decodes the path once', async () => {
    expect((await api.fetch('/v2/pools/pool%2D0/status')).status).toBe(200);
    expect((await api.fetch('/v2/pools/%70ool-0/status')).status).toBe(200);
  });

  it('never breaks at a path that cannot be decoded', async () => {
    expect((await api.fetch('/v2/pools/%ff%fe/status')).status).toBe(400);
    expect((await api.fetch('/v2/pools/%/status')).status).toBe(400);
  });
});

describe('bodies', () => {
  const post = (path: string, body: string, headers: Record<string, string>) => api.fetch(path, { method: 'POST', body, headers });
  const asJson = { 'content-type': 'application/json' };

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=latin1',
    'application/jsonx',
  ])('takes no order as %s', async (type) => {
    expect(await problem(await post('/v2/pools/pool-0/drain', '{}', { 'content-type': type }))).toMatchObject({
      status: 415,
      body: { code: 'UNSUPPORTED_MEDIA_TYPE' },
    });
    expect(api.node.asked).toEqual([]);
  });

  it.each(['application/json', 'APPLICATION/JSON', 'application/json;charset=UTF-8', 'application/json; charset="utf-8"'])(
    'takes an order as %s',
    async (type) => {
      expect((await post('/v2/pools/pool-0/drain', '{}', { 'content-type': type })).status).toBe(202);
    },
  );

  it('takes no compressed body', async () => {
    expect((await post('/v2/pools/pool-0/drain', '{}', { ...asJson, 'content-encoding': 'gzip' })).status).toBe(415);
  });

  it.each(['{', '', '[]', 'null', '"drain"', '{"deadline_ms":1', '\u0000'])('refuses %j where a declaration is expected', async (body) => {
    expect(await problem(await post('/v2/pools', body, asJson))).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS' } });
  });

  it.each([{ deadline_ms: -1 }, { deadline_ms: 1.5 }, { deadline_ms: '10' }, { deadline_ms: null }, { deadline_ms: 1e12 }, { deadline: 10 }])(
    'refuses the drain %j and says which key is wrong',
    async (body) => {
      const answered = await problem(await api.post('/v2/pools/pool-0/drain', body));
      expect(answered).toMatchObject({ status: 400, body: { code: 'INVALID_PARAMS', message: expect.stringMatching(/^body\.deadline/) } });
      expect(api.node.asked).toEqual([]);
    },
  );

  it('refuses bytes that are no UTF-8', async () => {
    const response = await api.fetch('/v2/pools/pool-0/drain', { method: 'POST', headers: asJson, body: new Uint8Array([0x22, 0xff, 0x22]) });
    expect(response.status).toBe(400);
  });

  it('sees no other prototype in a body', async () => {
    const response = await post('/v2/pools/pool-0/reload', '{"__proto__":{"slots":9}}', asJson);
    expect(response.status).toBe(202);
    const changes = api.node.asked[0]?.[2];
    expect(Object.getPrototypeOf(changes)).toBe(Object.prototype);
    expect(changes).not.toHaveProperty('slots');
  });
});

describe('every answer', () => {
  it('has a correlation id of its own', async () => {
    const [one, other] = await Promise.all([api.fetch('/health'), api.fetch('/health')]);
    expect(one.headers.get('x-correlation-id')).toMatch(uuid);
    expect(other.headers.get('x-correlation-id')).not.toBe(one.headers.get('x-correlation-id'));
  });

  it.each(['/health', '/v2/nothing', '/v2/pools/pool-9/status', '/openapi.json', '/metrics'])(
    'returns the id that it was given, at %s',
    async (path) => {
      const response = await api.fetch(path, { headers: { 'x-correlation-id': 'job-17:retry.2' } });
      expect(response.headers.get('x-correlation-id')).toBe('job-17:retry.2');
      expect(api.log.findLast((entry) => entry.fields['path'] === path)?.fields['correlation_id']).toBe('job-17:retry.2');
    },
  );

  it.each(['a b', 'x'.repeat(129), '"quoted"', '<b>', 'ä'])('replaces the strange id %s', async (id) => {
    const response = await api.fetch('/health', { headers: { 'x-correlation-id': id } });
    expect(response.headers.get('x-correlation-id')).toMatch(uuid);
  });

  it.each(['/health', '/v2/pools', '/v2/nothing'])('is not to be sniffed, stored or shared, at %s', async (path) => {
    const { headers } = await api.fetch(path);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('failures of ours', () => {
  it('are told without their insides, and logged with the correlation id', async () => {
    api.node.failure = new Error('secret path /root/x');
    const response = await api.fetch('/v2/node', { headers: { 'x-correlation-id': 'c-1' } });
    const { status, body } = await problem(response);
    expect(status).toBe(500);
    expect(body).toEqual({ code: 'INTERNAL', message: expect.stringContaining('c-1'), retryable: false });
    expect(api.log).toContainEqual({
      level: 'error',
      fields: { correlation_id: 'c-1', method: 'GET', path: '/v2/node', err: api.node.failure },
      message: 'request failed',
    });
  });
});

describe('the access log', () => {
  it('tells orders as news and reads to the curious, without queries', async () => {
    await api.fetch('/v2/pools/pool-0/events?limit=5');
    await api.fetch('/v2/pools/pool-0/preload', { method: 'POST' });
    const [read, order] = api.log.slice(-2);
    expect(read).toMatchObject({ level: 'debug', fields: { method: 'GET', path: '/v2/pools/pool-0/events', status: 200, peer: '127.0.0.1' } });
    expect(order).toMatchObject({ level: 'info', fields: { method: 'POST', path: '/v2/pools/pool-0/preload', status: 202 } });
    expect(order?.fields['duration_ms']).toBeGreaterThanOrEqual(0);
  });
});
