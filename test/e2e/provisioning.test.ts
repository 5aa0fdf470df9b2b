/** What a pools file names and the machine lacks: the daemon fetches it, goes on where another stopped, and lets go at once. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tarGz } from '../kit/archives.ts';
import { type Daemon, daemonHouse, type House, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { fileServer, sha256Of } from '../kit/file-server.ts';
import { hubStandIn } from '../kit/hub.ts';

const content = randomBytes(2_000_000);
const half = 1_000_000;
const checksum = `sha256:${sha256Of(content)}`;

const endOf = async (daemon: Daemon): Promise<{ readonly code: number | null; readonly ms: number }> => {
  const begun = performance.now();
  const { code } = await daemon.end();
  return { code, ms: performance.now() - begun };
};

/** Notes left out, and what a thread that was ended in the middle of writing one left of it. */
const partBytes = ({ dir }: House): number => {
  const parts = join(dir, '.cache', 'pool-managerd', 'parts');
  return existsSync(parts)
    ? readdirSync(parts).reduce(
        (sum, name) => sum + (name.includes('.json') ? 0 : (statSync(join(parts, name), { throwIfNoEntry: false })?.size ?? 0)),
        0,
      )
    : 0;
};

describe.concurrent('a pools file on an empty machine', patient, () => {
  it('that names a release and a repository of a hub comes to be ready, and again without a network', async (t) => {
    const hub = await hubStandIn(t);
    hub.commit('org/tiny-GGUF', { 'tiny-Q4_K_M.gguf': content, 'tiny-Q8_0.gguf': randomBytes(10) });
    const house = await daemonHouse(t, { HF_ENDPOINT: hub.url });
    const archive = tarGz([{ name: 'llama/llama-server', content: readFileSync(join(house.dir, 'bin', 'llama-server')) }]);
    const binary = { url: hub.api.put('/llama.tar.gz', { content: archive }), checksum: `sha256:${sha256Of(archive)}` };
    await house.declare([house.stub('pool-0', { model: 'hf:org/tiny-GGUF', quant: 'Q4_K_M', provisioning: { mode: 'binary', binary } })]);
    const daemon = await house.start();
    const [ready] = await daemon.ready('pool-0');
    expect(ready?.model).toBe('tiny-Q4_K_M');
    const passed = (await daemon.events('pool-0')).map(({ to }) => to).join(' ');
    expect(passed).toMatch(/engine\.building/);

    await daemon.ask('POST', '/v2/pools/pool-0/drain', {});
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await daemon.end();
    await Promise.all([hub.api.close(), hub.files.close()]);
    const next = await house.start();
    await next.ask('POST', '/v2/pools/pool-0/preload');
    await next.ready('pool-0');
  });
});

describe.concurrent('a model that the pools file names by its URL', patient, () => {
  it('is fetched once for two pools, shown while it comes, and found without a network by the next daemon', async (t) => {
    const server = await fileServer(t);
    const model = server.put('/tiny.gguf', { content, script: [{ kind: 'cut', afterBytes: half }, { kind: 'serve' }] });
    const house = await daemonHouse(t);
    const pools = [0, 1].map((index) => house.stub(`pool-${index}`, { model, model_source: { checksum }, devices: [index] }));
    await house.declare(pools);
    const daemon = await house.start();
    const [ready] = await daemon.ready('pool-0', 'pool-1');
    expect(ready?.model).toBe('tiny');
    expect(server.sentBytes(), 'once for both').toBeLessThan(content.length * 1.3);
    const passed = (await daemon.events('pool-0')).map(({ to }) => to).join(' ');
    expect(passed).toMatch(/model\.fetching/);
    expect(passed).toMatch(/model\.verifying/);

    await daemon.ask('POST', '/v2/pools/pool-0/drain', {});
    await daemon.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped');
    await daemon.end();
    await server.close();
    const next = await house.start();
    await next.ask('POST', '/v2/pools/pool-0/preload');
    await next.ready('pool-0', 'pool-1');
  });

  it('is gone on with after kill -9 of the daemon, and a drain ends it at once', async (t) => {
    const server = await fileServer(t);
    const model = server.put('/tiny.gguf', {
      content,
      script: [{ kind: 'stall', afterBytes: half }, { kind: 'stall', afterBytes: 0 }, { kind: 'stall', afterBytes: 0 }, { kind: 'serve' }],
    });
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0', { model, model_source: { checksum } })]);
    const daemon = await house.start();
    await asking('half of it to be there', () => partBytes(house) === half);
    const shown = await daemon.sees('pool-0', 'seen at it', ({ progress }) => progress?.done_bytes !== null && progress !== null);
    expect(shown).toMatchObject({ state: 'provisioning', live: false, progress: { step: 'model', total_bytes: content.length } });
    expect(await daemon.metric(/^pool_provision_total_bytes\{.*step="model"/)).toBe(content.length);
    await daemon.end('SIGKILL');

    const next = await house.start();
    await asking('it to be gone on with', () => server.asked.length === 2);
    expect(server.asked[1]?.range).toBe(`bytes=${half}-`);
    const begun = performance.now();
    await next.ask('POST', '/v2/pools/pool-0/drain', {});
    await next.sees('pool-0', 'stopped', ({ substate }) => substate === 'stopped', 2_000);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(partBytes(house), 'what is there stays').toBe(half);

    await next.ask('POST', '/v2/pools/pool-0/preload');
    await asking('it to be gone on with once more', () => server.asked.length === 3);
    const { code, ms } = await endOf(next);
    expect(code, 'an orderly end in the middle').toBe(0);
    expect(ms).toBeLessThan(5_000);

    const last = await house.start();
    await last.ready('pool-0');
    expect(server.sentBytes()).toBe(content.length);
  });

  it('fails for good where it is not what was asked for, and is tried again where the server is away', async (t) => {
    const server = await fileServer(t);
    const model = server.put('/tiny.gguf', { content });
    const house = await daemonHouse(t);
    await house.declare([
      house.stub('pool-0', { model, model_source: { checksum: `sha256:${'0'.repeat(64)}` } }),
      house.stub('pool-1', { model: 'http://127.0.0.1:1/m.gguf' }),
    ]);
    const daemon = await house.start();
    const failed = await daemon.sees('pool-0', 'failed', ({ substate }) => substate === 'failed');
    expect(failed).toMatchObject({ reason: { code: 'digest_mismatch', retryable: false } });
    const waiting = await daemon.sees('pool-1', 'backing off', ({ substate }) => substate === 'backingOff');
    expect(waiting).toMatchObject({ reason: { code: 'download_unreachable', retryable: true } });
    expect(house.runs('pool-0')).toEqual([]);
  });
});
