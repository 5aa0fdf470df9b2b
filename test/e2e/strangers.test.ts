/** Handoff files that others write: engines of somebody else, and files that are wrong in every way there is. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { daemonHouse, type House, patient } from '../kit/daemon.ts';
import { asking, type DaemonApi } from '../kit/daemon-api.ts';

/** An engine that is none of the daemon's. */
const stranger = async ({ onTestFinished }: TestContext) => {
  const engine = { healthy: true, endpoint: '' };
  const server = createServer((_request, response) => response.writeHead(engine.healthy ? 200 : 500).end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  engine.endpoint = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  onTestFinished(() => void server.close());
  return engine;
};

/** Whole or not at all, as launchers do. */
const handOver = async ({ dir, runtimeDir }: House, name: string, content: unknown): Promise<void> => {
  const written = join(dir, name);
  await writeFile(written, typeof content === 'string' ? content : JSON.stringify(content));
  await rename(written, join(runtimeDir, name));
};

const processed = async (daemon: DaemonApi, outcome: string): Promise<number> =>
  (await daemon.metric(new RegExp(`^pool_handoff_files_processed_total\\{.*outcome="${outcome}"`))) ?? 0;

describe.concurrent("a stranger's handoff file", patient, () => {
  it('makes way for the pool of that name that the pools file comes to declare, and its engine is not touched', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    const engine = await stranger(t);
    await handOver(house, 'theirs-r0.json', { pool_id: 'theirs', engine: 'vllm', endpoint: engine.endpoint, ready: true });
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    await daemon.sees('theirs', 'attached', ({ origin, ready }) => origin === 'attached' && ready);
    await house.declare([house.stub('theirs')]);
    const own = await daemon.sees('theirs', 'our own', ({ origin, ready }) => origin === 'file' && ready);
    expect(own.endpoint).not.toBe(engine.endpoint);
    expect((await fetch(engine.endpoint)).status).toBe(200);
    expect(await readdir(join(house.stateDir, 'attached'))).toEqual([]);
  });

  it('makes an attached pool, ready by its health alone, that takes no orders and outlives the daemon', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    const engine = await stranger(t);
    const file = {
      pool_id: 'theirs',
      engine: 'vllm',
      endpoint: engine.endpoint.replace('127.0.0.1', 'localhost'),
      gpu_device: 1,
      slots: 3,
      ready: true,
    };
    await handOver(house, 'theirs-r0.json', file);
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    const [attached] = await daemon.ready('theirs');
    expect(attached).toMatchObject({
      origin: 'attached',
      residency: 'unproven',
      endpoint: engine.endpoint,
      slots_total: 3,
      gpu_device: 1,
      restarts: 0,
    });
    await asking('the file to be consumed', () => !existsSync(join(house.runtimeDir, 'theirs-r0.json')));
    expect(await processed(daemon, 'attached')).toBe(1);
    for (const [method, command] of [
      ['POST', '/preload'],
      ['POST', '/drain'],
      ['POST', '/resume'],
      ['POST', '/reload'],
      ['DELETE', ''],
    ] as const)
      expect(await daemon.ask(method, `/v2/pools/theirs${command}`), command).toMatchObject({
        status: 409,
        body: { code: 'ILLEGAL_TRANSITION', details: { accepts: [] } },
      });

    await handOver(house, 'theirs-r0.json', { ...file, ready: false });
    expect(await daemon.sees('theirs', 'out of ready', ({ ready }) => !ready)).toMatchObject({
      state: 'offline',
      substate: 'stopped',
      reason: { code: 'drained' },
    });
    expect(await processed(daemon, 'not_ready')).toBe(1);
    await handOver(house, 'theirs-r0.json', file);
    await daemon.ready('theirs');
    expect(await processed(daemon, 'attached')).toBe(2);
    await daemon.end('SIGKILL');

    const next = await house.start();
    const [found] = await next.ready('theirs');
    expect(found).toMatchObject({ origin: 'attached', residency: 'unproven', endpoint: engine.endpoint });
    engine.healthy = false;
    expect(await next.sees('theirs', 'out of ready', ({ ready }) => !ready)).toMatchObject({
      state: 'offline',
      reason: { code: 'health_failed', retryable: true },
    });
    engine.healthy = true;
    await next.ready('theirs');
  });

  it('that is kept is read once, and removing it changes nothing', async (t) => {
    const house = await daemonHouse(t, { POOL_MANAGERD_AUTO_DELETE_HANDOFF: 'false' });
    await house.declare([]);
    const engine = await stranger(t);
    await handOver(house, 'theirs.json', { pool_id: 'theirs', url: engine.endpoint });
    const daemon = await house.start();
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    const [attached] = await daemon.ready('theirs');
    const probed = attached?.last_probe_at;
    await daemon.sees('theirs', 'probed again', ({ last_probe_at }) => last_probe_at !== probed);
    expect(await processed(daemon, 'attached')).toBe(1);
    expect(await readdir(house.runtimeDir)).toEqual(['theirs.json']);
    await rm(join(house.runtimeDir, 'theirs.json'));
    await handOver(house, 'other.json', { pool_id: 'other', http_endpoint: engine.endpoint, device_mask: '0,1' });
    await asking('the other pool to be known', async () => (await daemon.ask('GET', '/v2/pools/other/status')).status === 200);
    expect(await daemon.pool('theirs')).toMatchObject({ ready: true, since: attached?.since });
    expect(await daemon.ready('other')).toMatchObject([{ device_mask: '0,1' }]);
  });
});

const bad: Readonly<Record<string, readonly [content: unknown, reason: RegExp]>> = {
  'array.json': [[1], /expected an endpoint/],
  'half.json': ['{"pool_id":"half","endpo', /expected JSON.*unchanged for 3 rescans/],
  'huge.json': [`{"pool_id":"huge","padding":"${'x'.repeat(1024 * 1024)}"}`, /at most 65536 bytes/],
  'metadata-service.json': [
    { pool_id: 'a', endpoint: 'http://169.254.169.254:80' },
    /169\.254\.169\.254 is neither loopback nor in POOL_MANAGERD_ALLOWED_HOSTS/,
  ],
  'userinfo.json': [{ pool_id: 'b', endpoint: 'http://127.0.0.1:80@10.0.0.1:80' }, /credentials/],
  'other-host.json': [{ pool_id: 'c', endpoint: 'http://gpu-7.example:8081' }, /gpu-7\.example is neither loopback/],
  'path.json': [{ pool_id: 'd', endpoint: 'http://127.0.0.1:8081/admin' }, /path/],
  'scheme.json': [{ pool_id: 'e', endpoint: 'file:///etc/passwd' }, /http/],
  'no-endpoint.json': [{ pool_id: 'f' }, /expected an endpoint/],
  'pool-id.json': [{ pool_id: '../../etc', endpoint: 'http://127.0.0.1:8081' }, /pool_id: Expected lower-case/],
  'slots.json': [{ pool_id: 'g', endpoint: 'http://127.0.0.1:8081', slots: -1 }, /slots/],
  'proto.json': ['{"__proto__":{"pool_id":"h"},"ready":1}', /ready/],
};

describe.concurrent('a handoff file that is wrong', patient, () => {
  it('is set aside with its reason, counted, and never looked at again; pools and API go on', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    const [before] = await daemon.ready('pool-0');
    const accepted = await processed(daemon, 'accepted');
    const own = { 'own-port.json': [{ pool_id: 'i', endpoint: daemon.url }, /this daemon's own/] as const };
    const wrong: typeof bad = { ...bad, ...own };
    for (const [name, [content]] of Object.entries(wrong)) await handOver(house, name, content);
    await symlink('/etc/hostname', join(house.runtimeDir, 'link.json'));
    execFileSync('mkfifo', [join(house.runtimeDir, 'fifo.json')]);
    const odd = { 'link.json': /symbolic link/, 'fifo.json': /FIFO/ };
    const reasons = { ...Object.fromEntries(Object.entries(wrong).map(([name, [, reason]]) => [name, reason])), ...odd };

    await asking('all to be set aside', async () => (await processed(daemon, 'rejected')) >= Object.keys(reasons).length);
    const rejected = join(house.runtimeDir, 'rejected');
    for (const [name, reason] of Object.entries(reasons)) expect(await readFile(join(rejected, `${name}.reason.txt`), 'utf8'), name).toMatch(reason);
    expect((await readdir(rejected)).filter((name) => !name.endsWith('.reason.txt')).sort()).toEqual(Object.keys(reasons).sort());
    expect(await readdir(house.runtimeDir)).toEqual(['rejected']);
    expect(await processed(daemon, 'rejected')).toBe(Object.keys(reasons).length);
    expect((await daemon.pools()).map(({ pool_id }) => pool_id)).toEqual(['pool-0']);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, since: before?.since });
    expect(await processed(daemon, 'accepted')).toBe(accepted);
  });

  it('or of another engine leaves a pool of ours as it is, and notes of others are passed over', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const daemon = await house.start();
    const [before] = await daemon.ready('pool-0');
    const engine = await stranger(t);
    const run = house.run('pool-0');
    await handOver(house, 'pool-0-r0.json', { pool_id: 'pool-0', endpoint: run?.endpoint, incarnation: 'of-another-time', ready: false });
    await asking('the stale one to be counted', async () => (await processed(daemon, 'stale')) === 1);
    await handOver(house, 'pool-0-r1.json', { pool_id: 'pool-0', endpoint: engine.endpoint, ready: false });
    await asking('the other one to be counted', async () => (await processed(daemon, 'ignored')) === 1);
    await handOver(house, 'nobody.json', { pool_id: 'nobody', endpoint: engine.endpoint, ready: false });
    await asking('the one that is not ready to be counted', async () => (await processed(daemon, 'not_ready')) === 1);
    await handOver(house, 'note.json', { model: 'tiny', metadata: {} });
    await handOver(house, '.hidden.json', {});
    await handOver(house, 'backup.json~', {});
    await handOver(house, 'last.json', { pool_id: 'theirs', endpoint: engine.endpoint });
    await asking('the last one to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    expect(await processed(daemon, 'rejected')).toBe(0);
    expect((await daemon.pools()).map(({ pool_id }) => pool_id)).toEqual(['pool-0', 'theirs']);
    expect(await daemon.pool('pool-0')).toMatchObject({ ready: true, since: before?.since, incarnation: run?.incarnation });
  });

  it('for a moment only, since it is being written, is waited for', async (t) => {
    const house = await daemonHouse(t, { POOL_MANAGERD_WATCH_INTERVAL_MS: '5000' });
    await house.declare([]);
    const daemon = await house.start();
    const engine = await stranger(t);
    const text = JSON.stringify({ pool_id: 'theirs', endpoint: engine.endpoint });
    for (const end of [0, 1, 20, text.length - 1, text.length]) await writeFile(join(house.runtimeDir, 'theirs.json'), text.slice(0, end));
    await asking('the pool to be known', async () => (await daemon.ask('GET', '/v2/pools/theirs/status')).status === 200);
    await daemon.ready('theirs');
    expect(await processed(daemon, 'rejected')).toBe(0);
  });

  it('comes a thousandfold beside ten good ones: the good ones are taken, the others bounded, and the API answers meanwhile', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([]);
    const daemon = await house.start();
    const engine = await stranger(t);
    const flood = join(house.dir, 'flood');
    await mkdir(flood);
    const good = Array.from({ length: 10 }, (_, index) => `good-${index}`);
    for (const id of good) await writeFile(join(flood, `${id}.json`), JSON.stringify({ pool_id: id, endpoint: engine.endpoint }));
    for (let index = 0; index < 990; index += 1) await writeFile(join(flood, `bad-${index}.json`), index % 2 === 0 ? '{}' : '{"pool_id":7}');
    for (const name of await readdir(flood)) await rename(join(flood, name), join(house.runtimeDir, name));
    await asking('the good ones to be known', async () => (await daemon.pools()).length === good.length, 20_000);
    await daemon.ready(...good);
    await asking('the others to be set aside', async () => (await processed(daemon, 'rejected')) === 990, 20_000);
    expect((await readdir(join(house.runtimeDir, 'rejected'))).length).toBeLessThanOrEqual(400);
    await asking('the good ones to be consumed', async () => (await readdir(house.runtimeDir)).join() === 'rejected');
  });
});
