/** Pools that cannot be what they are declared to be: each says why, comes to rest where its reason says, and touches no other. */
import { truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { type Declared, daemonHouse, type House, patient } from '../kit/daemon.ts';
import { freePorts } from '../kit/free-ports.ts';

const fixture = (name: string): string => resolve(import.meta.dirname, '../fixtures/engines', name);

const occupy = async ({ onTestFinished }: TestContext, port: number): Promise<void> => {
  const server = createServer();
  await new Promise<void>((settle) => server.listen(port, '127.0.0.1', settle));
  onTestFinished(() => void server.close());
};

/** Comes to rest after one failure. */
const once = { restart: { initial_ms: 60_000, max_ms: 60_000 } };

const customPool = (id: string, executable: string, changes: object = {}): Declared => ({
  id,
  engine: 'custom',
  devices: [1],
  custom: { health_path: '/health' },
  provisioning: { mode: 'external', executable },
  ...once,
  ...changes,
});

interface Expected {
  readonly pool: Declared;
  /** Where it comes to rest. */
  readonly rests: 'backingOff' | 'failed' | 'blocked' | 'stopped';
  readonly code: string;
  readonly says: RegExp;
}

const bad = (house: House, taken: number, big: string): readonly Expected[] => {
  const external = (executable: string) => ({ provisioning: { mode: 'external', executable } });
  return [
    {
      pool: house.stub('port-taken', { ports: [taken], ...once }),
      rests: 'backingOff',
      code: 'port_conflict',
      says: new RegExp(`${taken}.*all taken.*\`ports\``),
    },
    { pool: house.stub('range-taken', once), rests: 'backingOff', code: 'port_conflict', says: /POOL_MANAGERD_PORT_RANGE/ },
    {
      pool: house.stub('engine-missing', external('/nowhere/llama-server')),
      rests: 'failed',
      code: 'engine_missing',
      says: /\/nowhere\/llama-server/,
    },
    { pool: house.stub('not-executable', external(house.model)), rests: 'failed', code: 'engine_missing', says: /execut/ },
    { pool: house.stub('model-missing', { model: 'nothing.gguf' }), rests: 'failed', code: 'model_missing', says: /nothing\.gguf.*set `model`/ },
    { pool: house.stub('flag-denied', { flags: ['-ngl', '0'] }), rests: 'failed', code: 'invalid_spec', says: /"-ngl".*VRAM/ },
    { pool: house.stub('flag-unknown', { flags: ['--no-such-flag'] }), rests: 'failed', code: 'invalid_spec', says: /--no-such-flag.*--help/ },
    { pool: house.stub('gpu-missing', { devices: [7] }), rests: 'blocked', code: 'gpu_missing', says: /7/ },
    { pool: house.stub('too-big', { model: big }), rests: 'blocked', code: 'insufficient_vram', says: /\d/ },
    {
      pool: house.stub('out-of-memory', { ...once, env: { STUB_FAIL_LOAD: 'ggml_cuda: CUDA error: out of memory' } }),
      rests: 'failed',
      code: 'cuda_oom',
      says: /did not fit in VRAM.*out of memory/,
    },
    {
      pool: house.stub('start-timeout', { ...once, env: { STUB_LOAD_MS: '600000' }, timeouts: { start_max_ms: 1_500, stop_ms: 1_000 } }),
      rests: 'backingOff',
      code: 'start_timeout',
      says: /timeouts\.start_max_ms/,
    },
    {
      pool: customPool('exits', fixture('exits'), { flags: ['3', 'something is wrong'] }),
      rests: 'backingOff',
      code: 'engine_exited',
      says: /exit code 3.*something is wrong/,
    },
    { pool: customPool('completes', fixture('exits'), { flags: ['0', 'done'] }), rests: 'stopped', code: 'engine_completed', says: /exit code 0/ },
    {
      pool: customPool('stalls', fixture('never-listens'), { timeouts: { start_stall_ms: 1_000 } }),
      rests: 'backingOff',
      code: 'start_stalled',
      says: /timeouts\.start_stall_ms/,
    },
    {
      pool: customPool('crash-loop', fixture('exits'), { flags: ['1', 'again'], restart: { initial_ms: 10, max_ms: 10, max_restarts: 3 } }),
      rests: 'backingOff',
      code: 'crash_loop',
      says: /again/,
    },
  ];
};

/** Ports for all but the one that is to find its whole range taken. */
const withPort = (expected: Expected, port: number): Declared =>
  expected.code === 'port_conflict' ? expected.pool : { ...expected.pool, ports: [port] };

describe.concurrent('pools that cannot be', patient, () => {
  it('each say why and come to rest, beside one that serves throughout', async (t) => {
    const taken = (await freePorts(1)).first;
    await occupy(t, taken);
    const house = await daemonHouse(t, { POOL_MANAGERD_PORT_RANGE: `${taken}-${taken}` });
    const big = join(house.dir, 'big.gguf');
    await writeFile(big, '');
    await truncate(big, 40 * 1024 ** 3);
    const expected = bad(house, taken, big);
    const ports = await freePorts(expected.length + 1);
    await house.declare([house.stub('serves', { ports: [ports.last] }), ...expected.map((one, index) => withPort(one, ports.first + index))]);
    const daemon = await house.start();
    const [serves] = await daemon.ready('serves');

    const rest = expected.map(async ({ pool: { id }, rests, code, says }) => {
      const pool = await daemon.sees(id, `${rests} with ${code}`, ({ substate, reason }) => substate === rests && reason?.code === code, 30_000);
      expect(pool.reason?.message, id).toMatch(says);
      expect(pool, id).toMatchObject({
        state: 'offline',
        live: false,
        ready: false,
        wanted: 'up',
        endpoint: null,
        reason: { retryable: rests === 'backingOff' || rests === 'blocked' },
      });
      expect(pool.reason?.next_retry_at === null, id).toBe(rests !== 'backingOff');
      expect(house.run(id), id).toBeNull();
    });
    await Promise.all(rest);
    expect(await daemon.pool('serves')).toMatchObject({ ready: true, since: serves?.since, restarts: 0 });
    expect(house.left()).toEqual([house.run('serves')?.pid]);
    expect((await daemon.gpus())[1]?.memory_reserved_bytes).toBe(0);
    expect(await daemon.ask('POST', '/v2/pools/too-big/preload')).toMatchObject({ status: 503, body: { code: 'POOL_UNAVAILABLE', retryable: true } });
    expect((await daemon.ask('GET', '/ready')).status).toBe(200);
    const begun = performance.now();
    for (let times = 0; times < 20; times += 1) await daemon.pools();
    expect((performance.now() - begun) / 20).toBeLessThan(250);
  });

  it('an engine that hangs is drained for its health and started again; one that ignores SIGTERM is killed', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([
      house.stub('deaf', { env: { STUB_IGNORE_TERM: '1' }, timeouts: { stop_ms: 500, drain_ms: 1_000 } }),
      house.stub('hangs', {
        env: { STUB_HANG: 'slots', STUB_HANG_AFTER_MS: '1500' },
        health: { interval_ms: 100, timeout_ms: 300, progress_timeout_ms: 300, failures: 2 },
      }),
    ]);
    const daemon = await house.start();
    await daemon.ready('deaf');
    const hung = await daemon.sees('hangs', 'draining for its health', ({ substate }) => substate === 'emptying.recovering', 20_000);
    expect(hung).toMatchObject({ state: 'draining', ready: false, live: true, wanted: 'up', reason: { retryable: true } });
    await daemon.ask('POST', '/v2/pools/deaf/drain');
    await daemon.sees('deaf', 'stopped', ({ substate }) => substate === 'stopped');
    const last = (await daemon.events('deaf')).find(({ from }) => from === 'draining.stopping');
    expect(last?.to).toBe('draining.releasing');
    expect(await daemon.metric(/^pool_engine_kills_total\{.*deaf/)).toBe(1);
    await daemon.ask('POST', '/v2/pools/hangs/drain', { deadline_ms: 0 });
    await daemon.sees('hangs', 'stopped', ({ substate }) => substate === 'stopped');
    expect(await daemon.metric(/^pool_engine_kills_total\{.*hangs/), 'one that ends within its grace').toBeNull();
    expect(house.left()).toEqual([]);
  });
});
