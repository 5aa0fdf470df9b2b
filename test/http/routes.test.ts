/** Every route, asked over a real connection: what it answers and what it asks of the node. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { transition } from '../kit/fake-history.ts';
import { type HttpApi, startHttpApi } from '../kit/http-api.ts';
import { poolStatus } from '../kit/views.ts';

let api: HttpApi;
beforeEach(async () => {
  api = await startHttpApi({
    parsePoolSpec: (value) => {
      const known = declared[String(value && typeof value === 'object' && 'id' in value ? value.id : '')];
      return known ?? { ok: false, mistakes: [{ key: 'devices', value: 'all', expected: 'a list of indices or UUIDs' }] };
    },
  });
});
afterEach(() => api.close());

const spec = {
  id: 'pool-1',
  engine: 'llamacpp',
  model: '/m.gguf',
  devices: [0],
  slots: 1,
  ctx: null,
  host: '127.0.0.1',
  api_key_file: null,
  quant: null,
  tensor_split: null,
  cpu_affinity: null,
  preload: true,
  env: {},
  flags: [],
  ports: null,
  provisioning: { mode: 'external', executable: null },
  model_source: null,
  custom: null,
  timeouts: { start_stall_ms: 1, start_max_ms: null, drain_ms: 1, stop_ms: 1, vram_release_ms: 1 },
  health: { interval_ms: 1, timeout_ms: 1, progress_timeout_ms: 1, failures: 1, canary: false },
  restart: { initial_ms: 1, max_ms: 1, window_ms: 1, max_restarts: 1, stable_ms: 1 },
} as const;
const declared: Readonly<Record<string, { readonly ok: true; readonly spec: typeof spec }>> = { 'pool-1': { ok: true, spec } };

const json = async (response: Response): Promise<unknown> => response.json();

describe('vital signs', () => {
  it('says that the process is alive', async () => {
    const response = await api.fetch('/health');
    expect(response.status).toBe(200);
    expect(await json(response)).toEqual({ status: 'ok', version: '0.1.0', uptime_ms: 1235 });
  });

  it('says that the node serves', async () => {
    const response = await api.fetch('/ready');
    expect(response.status).toBe(200);
    expect(await json(response)).toEqual({ status: 'ready', reasons: [] });
  });

  it('says why the node does not serve, and when to ask again', async () => {
    api.node.reasons = ['no pool is ready', 'GPUs are not known yet'];
    const response = await api.fetch('/ready');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await json(response)).toMatchObject({ status: 'not_ready', reasons: api.node.reasons, code: 'POOL_UNAVAILABLE', retryable: true });
  });

  it('renders metrics as Prometheus wants them', async () => {
    const response = await api.fetch('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('pool_ready{pool_id="pool-0"} 1');
  });
});

describe('pools', () => {
  it('lists pools with their number', async () => {
    expect(await json(await api.fetch('/v2/pools'))).toEqual({ node_id: 'gpu-node-1', pools: [poolStatus()], count: 1 });
  });

  it.each([
    ['GET', '/v2/pools/pool-0/status', undefined],
    ['POST', '/v2/pools/pool-0/status', '{}'],
    ['POST', '/v2/pools/pool-0/status', undefined],
    ['POST', '/pools/pool-0/status', '{}'],
    ['POST', '/pools/pool-0/status', undefined],
  ])('tells the status of a pool by %s %s with body %s', async (method, path, body) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await api.fetch(path, { method, headers, ...(body !== undefined && { body }) });
    expect(response.status).toBe(200);
    expect(await json(response)).toEqual(poolStatus());
  });

  it('declares a pool and says where it is', async () => {
    const response = await api.post('/v2/pools', { id: 'pool-1' });
    expect(response.status).toBe(201);
    expect(response.headers.get('location')).toBe('/v2/pools/pool-1/status');
    expect(await json(response)).toMatchObject({ pool_id: 'pool-1', origin: 'api' });
    expect(api.node.asked).toEqual([['declare', spec]]);
  });

  it('refuses a declaration that is no valid pool, with one line for each mistake', async () => {
    const response = await api.post('/v2/pools', { id: 'other' });
    expect(response.status).toBe(422);
    expect(await json(response)).toMatchObject({
      code: 'INVALID_PARAMS',
      details: { mistakes: ['devices: expected a list of indices or UUIDs, found "all"'] },
    });
    expect(api.node.asked).toEqual([]);
  });

  it('says POOL_EXISTS for an id that is taken', async () => {
    api.node.refusal = { ok: false, problem: 'illegal', message: 'pool-1 is in pools.yaml', state: 'ready', accepts: ['drain'] };
    const response = await api.post('/v2/pools', { id: 'pool-1' });
    expect(response.status).toBe(409);
    expect(await json(response)).toMatchObject({ code: 'POOL_EXISTS', message: 'pool-1 is in pools.yaml' });
  });

  it('removes a pool', async () => {
    const response = await api.fetch('/v2/pools/pool-0', { method: 'DELETE' });
    expect(response.status).toBe(202);
    expect(api.node.asked).toEqual([['remove', 'pool-0']]);
  });

  it('refuses to remove a pool of the file and passes on what the node says of it', async () => {
    api.node.refusal = { ok: false, problem: 'illegal', message: 'pool-0 is declared in pools.yaml', state: 'ready', accepts: ['drain'] };
    const response = await api.fetch('/v2/pools/pool-0', { method: 'DELETE' });
    expect(response.status).toBe(409);
    expect(await json(response)).toMatchObject({ code: 'ILLEGAL_TRANSITION', message: 'pool-0 is declared in pools.yaml' });
  });
});

describe('orders', () => {
  it.each([
    ['preload', {}, ['preload', 'pool-0']],
    ['resume', {}, ['resume', 'pool-0']],
    ['drain', {}, ['drain', 'pool-0', null]],
    ['drain', { deadline_ms: 0 }, ['drain', 'pool-0', 0]],
    ['drain', { deadline_ms: 1500 }, ['drain', 'pool-0', 1500]],
    ['reload', { new_model_ref: 'b.gguf', slots: 2 }, ['reload', 'pool-0', { model: 'b.gguf', slots: 2 }]],
    ['reload', {}, ['reload', 'pool-0', {}]],
    ['reload', { as_filed: true }, ['reload', 'pool-0', 'as_filed']],
    ['reload', { as_filed: false, slots: 2 }, ['reload', 'pool-0', { slots: 2 }]],
  ])('takes %s %j and answers 202 with the pool', async (name, body, asked) => {
    const response = await api.post(`/v2/pools/pool-0/${name}`, body);
    expect(response.status).toBe(202);
    expect(await json(response)).toMatchObject({ pool_id: 'pool-0' });
    expect(api.node.asked).toEqual([asked]);
  });

  it.each(['preload', 'resume', 'drain', 'reload'])('takes %s without a body', async (name) => {
    const response = await api.fetch(`/v2/pools/pool-0/${name}`, { method: 'POST' });
    expect(response.status).toBe(202);
  });

  it('names the operation of a reload', async () => {
    expect(await json(await api.post('/v2/pools/pool-0/reload', {}))).toEqual({ ...poolStatus(), operation_id: 'operation-1' });
  });

  it('refuses two names for the new model', async () => {
    const response = await api.post('/v2/pools/pool-0/reload', { new_model_ref: 'a', model: 'b' });
    expect(response.status).toBe(400);
    expect(api.node.asked).toEqual([]);
  });

  it.each([{ as_filed: true, slots: 2 }, { as_filed: true, new_model_ref: 'a' }, { as_filed: 'yes' }])('refuses %j', async (body) => {
    expect((await api.post('/v2/pools/pool-0/reload', body)).status).toBe(400);
    expect(api.node.asked).toEqual([]);
  });

  it('passes on why a new spec is not valid', async () => {
    api.node.refusal = { ok: false, problem: 'invalid', mistakes: ['slots: expected at least 1, found 0', 'ctx: expected a number'] };
    const response = await api.post('/v2/pools/pool-0/reload', { slots: 0 });
    expect(response.status).toBe(422);
    expect(await json(response)).toMatchObject({ code: 'INVALID_PARAMS', details: { mistakes: api.node.refusal.mistakes } });
  });

  it('says what a state accepts instead', async () => {
    api.node.refusal = { ok: false, problem: 'illegal', message: 'only while emptying', state: 'ready.healthy', accepts: ['drain', 'reload'] };
    const response = await api.fetch('/v2/pools/pool-0/resume', { method: 'POST' });
    expect(response.status).toBe(409);
    expect(await json(response)).toEqual({
      code: 'ILLEGAL_TRANSITION',
      message: 'only while emptying',
      retryable: false,
      details: { pool_id: 'pool-0', state: 'ready.healthy', accepts: ['drain', 'reload'] },
    });
  });

  it('says with numbers that a pool cannot fit, and when to try again', async () => {
    api.node.refusal = {
      ok: false,
      problem: 'unavailable',
      code: 'insufficient_vram',
      message: 'needs 9 GiB, 4 GiB are free',
      retryAfterMs: 2500,
      details: { need_bytes: 9, free_bytes: 4 },
    };
    const response = await api.fetch('/v2/pools/pool-0/preload', { method: 'POST' });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('3');
    expect(await json(response)).toEqual({
      code: 'POOL_UNAVAILABLE',
      message: 'needs 9 GiB, 4 GiB are free',
      retryable: true,
      retry_after_ms: 2500,
      details: { pool_id: 'pool-0', need_bytes: 9, free_bytes: 4, reason: 'insufficient_vram' },
    });
  });
});

describe('history', () => {
  it('pages through the transitions of a pool, newest first', async () => {
    for (const seq of [1, 2, 3, 4]) api.journal.feed.tell(transition(seq));
    api.journal.feed.tell(transition(5, { pool_id: 'other' }));
    const first = await json(await api.fetch('/v2/pools/pool-0/events?limit=2'));
    expect(first).toEqual({ pool_id: 'pool-0', events: [transition(4), transition(3)] });
    const second = await json(await api.fetch('/v2/pools/pool-0/events?limit=2&before=3'));
    expect(second).toEqual({ pool_id: 'pool-0', events: [transition(2), transition(1)] });
  });

  it('tells the last lines of an engine', async () => {
    for (const offset of [10, 20, 30]) api.logs.feed.tell({ offset, text: `line ${offset}` });
    const answered = await json(await api.fetch('/v2/pools/pool-0/logs?tail=2'));
    expect(answered).toEqual({
      pool_id: 'pool-0',
      run: 'current',
      lines: [
        { offset: 20, text: 'line 20' },
        { offset: 30, text: 'line 30' },
      ],
    });
  });

  it('tells what the run before wrote', async () => {
    api.logs.previous = [{ offset: 5, text: 'segfault' }];
    expect(await json(await api.fetch('/v2/pools/pool-0/logs?run=previous'))).toMatchObject({ run: 'previous', lines: api.logs.previous });
  });

  it('says that there is no run before', async () => {
    const response = await api.fetch('/v2/pools/pool-0/logs?run=previous');
    expect(response.status).toBe(404);
    expect(await json(response)).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('no previous run') });
  });

  it.each([
    'events?limit=0',
    'events?limit=1001',
    'events?limit=ten',
    'events?before=-1',
    'events?since=3',
    'logs?tail=10001',
    'logs?follow=yes',
    'logs?run=older',
    'logs?follow=true&run=previous',
  ])('refuses the query %s', async (rest) => {
    const response = await api.fetch(`/v2/pools/pool-0/${rest}`);
    expect(response.status).toBe(400);
    expect(await json(response)).toMatchObject({ code: 'INVALID_PARAMS', retryable: false });
  });
});

describe('the node', () => {
  it('lists GPUs, with null for what is not known', async () => {
    expect(await json(await api.fetch('/v2/gpus'))).toMatchObject({
      count: 2,
      gpus: [{ uuid: 'GPU-1' }, { uuid: 'GPU-2', memory_used_bytes: null }],
    });
  });

  it('tells of itself', async () => {
    expect(await json(await api.fetch('/v2/node'))).toEqual(api.node.node());
  });

  it.each(['/v2/nodes/register', '/v2/nodes/gpu-node-1/heartbeat'])('passes on what orchestratord answered to %s', async (path) => {
    const response = await api.fetch(path, { method: 'POST' });
    expect(response.status).toBe(200);
    expect(await json(response)).toEqual({ success: true, message: 'registered', node_id: 'gpu-node-1' });
  });

  it.each(['/v2/nodes/register', '/v2/nodes/gpu-node-1/heartbeat'])('says 502 where orchestratord cannot be reached by %s', async (path) => {
    api.node.orchestrator = { ok: false, message: 'connection refused at http://10.0.0.1:8080' };
    const response = await api.post(path, { anything: 1 });
    expect(response.status).toBe(502);
    expect(await json(response)).toMatchObject({ code: 'ORCHESTRATOR_UNREACHABLE', retryable: true, message: api.node.orchestrator.message });
  });

  it('sends no heartbeat in the name of another node', async () => {
    const response = await api.post('/v2/nodes/gpu-node-2/heartbeat', {});
    expect(response.status).toBe(404);
    expect(await json(response)).toMatchObject({ code: 'NODE_NOT_FOUND', message: expect.stringContaining('gpu-node-1') });
    expect(api.node.asked).toEqual([]);
  });
});
