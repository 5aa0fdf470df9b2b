/** Two pools on the real llama-server and a tiny model, under requests that are sent straight to them. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { complete, keepBusy, stream } from '../kit/completions.ts';
import { type Daemon, daemonHouse, filesWith, type House, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { isFree } from '../kit/free-ports.ts';
import { realEngine, tinyModel } from '../kit/llama-server.ts';

/** Two pools of four slots, ready. */
const onRealEngines = async (t: TestContext): Promise<{ readonly house: House; readonly daemon: Daemon }> => {
  if (realEngine === null) return t.skip('there is no llama-server on this machine');
  if (tinyModel === null) return t.skip('the tiny model is not here');
  const house = await daemonHouse(t);
  const real = {
    model: tinyModel,
    slots: 4,
    ctx: 32_768,
    // Threads of an engine without a card spin while they wait: whoever is to see it at work needs a core as well.
    flags: ['--threads', '1', '--poll', '0'],
    provisioning: { mode: 'external', executable: realEngine },
    timeouts: { drain_ms: 45_000, stop_ms: 5_000 },
    health: { interval_ms: 100 },
  };
  await house.declare([house.stub('pool-0', real), house.stub('pool-1', { ...real, devices: [1] })]);
  const daemon = await house.start();
  await daemon.ready('pool-0', 'pool-1');
  return { house, daemon };
};

describe.concurrent('on the real llama-server', patient, () => {
  it('two pools answer at their endpoints, and the API shows slots and work as they are', async (t) => {
    const { daemon } = await onRealEngines(t);
    const idle = (id: string) => daemon.sees(id, 'idle', ({ slots_free, active_leases }) => slots_free === 4 && active_leases === 0);
    const pools = await Promise.all(['pool-0', 'pool-1'].map(idle));
    expect(new Set(pools.map(({ endpoint }) => endpoint)).size).toBe(2);
    for (const { endpoint, engine_version, slots_total, models_available } of pools) {
      expect(await complete(endpoint ?? '', 5)).toMatchObject({ status: 200, content: expect.stringMatching(/./) });
      expect(engine_version).toMatch(/\d/);
      expect(slots_total).toBe(4);
      expect(models_available).toHaveLength(1);
    }

    const endpoint = pools[0]?.endpoint ?? '';
    const three = keepBusy(endpoint, 3);
    t.onTestFinished(three.stop);
    await daemon.sees('pool-0', 'working on three', ({ slots_free, active_leases }) => slots_free === 1 && active_leases === 3);
    await idle('pool-1');
    const threeMore = keepBusy(endpoint, 3);
    t.onTestFinished(threeMore.stop);
    await daemon.sees('pool-0', 'full', ({ slots_free }) => slots_free === 0);
    await Promise.all([three.stop(), threeMore.stop()]);
    await idle('pool-0');
  });

  it('with a key of its own answers nobody else what it works on, and the daemon proves it with that key (S26, S27)', async (t) => {
    if (realEngine === null || tinyModel === null) return t.skip('there is no llama-server or no model on this machine');
    const house = await daemonHouse(t);
    const keyFile = join(house.dir, 'engine-key');
    await writeFile(keyFile, 'a-key-of-this-engine\n', { mode: 0o600 });
    await house.declare([
      house.stub('pool-0', { model: tinyModel, api_key_file: keyFile, provisioning: { mode: 'external', executable: realEngine } }),
    ]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    await daemon.sees('pool-0', 'known', ({ slots_free }) => slots_free === 2);
    const endpoint = house.run('pool-0')?.endpoint;
    const statusOf = async (path: string, headers: Record<string, string> = {}, method = 'GET') =>
      (await fetch(`${endpoint}${path}`, { method, headers, ...(method === 'POST' && { body: '{"prompt":"a","n_predict":1}' }) })).status;
    for (const path of ['/slots', '/metrics', '/props']) expect(await statusOf(path), path).toBe(401);
    expect(await statusOf('/completion', {}, 'POST')).toBe(401);
    expect(await statusOf('/slots', { authorization: 'Bearer another' })).toBe(401);
    expect(await statusOf('/slots', { authorization: 'Bearer a-key-of-this-engine' })).toBe(200);
    expect(filesWith(house.dir, 'a-key-of-this-engine')).toEqual([keyFile]);
  });

  it('a drain under load cuts no request, and leaves nothing of the engine', async (t) => {
    const { house, daemon } = await onRealEngines(t);
    const run = house.run('pool-0');
    // Of the fastest machine seen some four seconds of work.
    const tokens = 1_200;
    const requests = Array.from({ length: 16 }, () => stream(run?.endpoint ?? '', tokens));
    await daemon.sees('pool-0', 'full', ({ slots_free }) => slots_free === 0);
    expect((await daemon.ask('POST', '/v2/pools/pool-0/drain')).status).toBe(202);
    expect(await daemon.pool('pool-0')).toMatchObject({ state: 'draining', ready: false, live: true });
    const stopped = await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped', 50_000);
    for (const { done } of requests) expect(await done).toEqual({ whole: true, problem: null, tokens });
    expect(await daemon.metric(/^pool_drain_forced_total\{/)).toBeNull();

    expect(stopped).toMatchObject({ live: false, endpoint: null, slots_free: null, active_leases: null, vram_used_bytes: null });
    expect(house.left()).toEqual([house.run('pool-1')?.pid]);
    expect(house.run('pool-0')).toBeNull();
    expect(await isFree(run?.port ?? 0)).toBe(true);
    expect(await readdir(house.runtimeDir)).toEqual([]);
    const reserved = (await daemon.gpus()).map(({ memory_reserved_bytes }) => memory_reserved_bytes);
    expect(reserved[0]).toBe(0);
    expect(reserved[1]).toBeGreaterThan(0);
    await asking('the card to be empty', async () => (await daemon.gpus())[0]?.memory_used_bytes === 0);
    expect(await daemon.pool('pool-1')).toMatchObject({ ready: true, restarts: 0 });

    await daemon.ask('POST', '/v2/pools/pool-0/preload');
    await daemon.ready('pool-0');
    process.kill(house.run('pool-0')?.pid ?? Number.NaN, 'SIGKILL');
    await daemon.sees('pool-0', 'ready again', ({ ready, restarts }) => ready && restarts === 1);
    await daemon.end('SIGKILL');
    const next = await house.start({ POOL_MANAGERD_SHUTDOWN: 'drain' });
    for (const pool of await next.ready('pool-0', 'pool-1')) expect(await complete(pool.endpoint ?? '', 3)).toMatchObject({ status: 200 });
    expect((await next.pool('pool-0')).restarts).toBe(1);
    expect(await next.end()).toMatchObject({ code: 0 });
    expect(house.left()).toEqual([]);
    expect(foldJournal(house.stateDir)).toMatchObject({ divergence: null, passedOver: 0 });
  });
});
