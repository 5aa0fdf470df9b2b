/** `doctor` on the pools file: where it is, what is wrong in it, and what of each pool a start would not find. */

import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { bytes } from '../../src/cli/words.ts';
import { tarGz } from '../kit/archives.ts';
import { examine, type Machine, machine, named, smallest } from '../kit/examined-machine.ts';
import { fileServer, sha256Of } from '../kit/file-server.ts';
import { freePorts } from '../kit/free-ports.ts';
import { writeGguf } from '../kit/gguf-writer.ts';
import { uuidOf } from '../kit/nvidia-smi.ts';
import { runCommand } from '../kit/run-command.ts';
import { tinyModel } from '../kit/tiny-models.ts';

const fails = async (from: Machine, part: string) => {
  const { checks, failure } = await examine(from);
  expect(failure).toMatch(/checks failed/);
  return named(checks, `pool chat: ${part}`);
};

const busyPort = async (t: TestContext): Promise<number> => {
  const server = createServer();
  t.onTestFinished(() => void server.close());
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)));
};

describe('the pools file', () => {
  it('that is nowhere is a warning, which says where it was looked for and what writes one', async (t) => {
    const it = await machine(t, { cards: [{}] });
    const { POOL_MANAGERD_CONFIG: _, ...env } = it.env;
    const { checks, failure } = await examine({ ...it, env });
    expect(named(checks, 'pools file')).toMatchObject({
      verdict: 'warn',
      found: expect.stringContaining(join(process.cwd(), 'pools.yaml')),
      todo: expect.stringContaining('pool-managerd config example'),
    });
    expect(failure).toBeNull();
  });

  it('that was named and is not there fails, as a start would', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await rm(join(it.dir, 'pools.yaml'));
    const { checks, failure } = await examine(it);
    expect(named(checks, 'pools file')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('config example') });
    expect(failure).toMatch(/^1 of/);
  });

  it('with mistakes is told of every one of them, by its line', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await writeFile(
      join(it.dir, 'pools.yaml'),
      'pools:\n  - { id: chat, engine: other, model: m, devices: [0] }\n  - { id: A, engine: llamacpp, model: m, devices: [] }\n',
    );
    const found = (await examine(it)).checks.filter(({ name }) => name === 'pools file');
    expect(found.map(({ verdict }) => verdict)).toEqual(['fail', 'fail', 'fail']);
    expect(found[0]).toMatchObject({
      found: expect.stringContaining('pools.yaml:2: pools[0].engine'),
      todo: expect.stringContaining('config check'),
    });
  });

  it('without pools is a warning', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare();
    expect(named((await examine(it)).checks, 'pools file')).toMatchObject({ verdict: 'warn', found: expect.stringContaining('declares no pools') });
  });

  it('is not known where its variable names none', async (t) => {
    const it = await machine(t, { cards: [{}] });
    const { checks } = await examine({ ...it, env: { ...it.env, POOL_MANAGERD_CONFIG: 'a\0b' } });
    expect(named(checks, 'environment')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('POOL_MANAGERD_CONFIG') });
    expect(named(checks, 'pools file')).toMatchObject({ verdict: 'unknown' });
  });

  it('is named by --pools, told in lines for people, and ends with 1 where a pool would not start', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat' }, { id: 'other', model: 'gone.gguf' });
    const env = { ...it.env, POOL_MANAGERD_CONFIG: '', POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB' };
    const { exitCode, stdout, stderr } = await runCommand(['doctor', '--pools', join(it.dir, 'pools.yaml')], { env });
    expect(stdout).toContain(`${join(it.dir, 'pools.yaml')}: 2 pools`);
    expect(stdout).toMatch(/^pool chat +ok +engine: .*llama-server; model: .*model\.gguf, \d+\.\d KiB; GPUs: 0 GPU-.* \(simulated\)$/m);
    expect(stdout).toMatch(
      /^pool other: model +fail +model_missing; to do: expected a readable model at .*gone\.gguf, found nothing there; set `model`$/m,
    );
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/^pool-managerd: 1 of \d+ checks failed\n$/)]);
  });
});

describe('a pool', () => {
  it('that is sound is one row with all that was found', async (t) => {
    const it = await machine(t, { cards: [{}, {}] });
    const { first } = await freePorts(2);
    await writeFile(join(it.dir, 'key'), 'secret\n');
    await it.declare({ id: 'chat', devices: [1, uuidOf(0)], ports: [first], api_key_file: join(it.dir, 'key') });
    const { checks, failure } = await examine(it);
    expect(failure).toBeNull();
    expect(named(checks, 'pool chat')).toEqual({
      name: 'pool chat',
      verdict: 'ok',
      found: [
        `engine: ${join(it.dir, 'llama-server')}`,
        `model: ${join(it.dir, 'model.gguf')}, ${bytes((await stat(join(it.dir, 'model.gguf'))).size)}`,
        `GPUs: 1 ${uuidOf(1)}, 0 ${uuidOf(0)}`,
        `ports: ${first} free on 127.0.0.1`,
        `api_key_file: ${join(it.dir, 'key')} is readable`,
      ].join('; '),
      todo: null,
    });
    expect(JSON.stringify(checks)).not.toContain('secret');
  });

  it('with a finding has a row for each of its checks', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat', devices: [3] });
    expect((await examine(it)).checks.filter(({ name }) => name.startsWith('pool chat')).map(({ name, verdict }) => [name, verdict])).toEqual([
      ['pool chat: engine', 'ok'],
      ['pool chat: model', 'ok'],
      ['pool chat: GPUs', 'fail'],
    ]);
  });

  it('fails by an executable that is missing, or that may not be executed', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await chmod(join(it.dir, 'llama-server'), 0o644);
    expect(await fails(it, 'engine')).toMatchObject({
      verdict: 'fail',
      found: 'engine_missing',
      todo: expect.stringContaining('may not be executed'),
    });
    await it.declare({ id: 'chat', provisioning: { mode: 'external', executable: 'no-such-engine' } });
    expect(await fails(it, 'engine')).toMatchObject({ verdict: 'fail', todo: expect.stringMatching(/no-such-engine on the PATH .*found none/) });
  });

  it('fails by a model that is missing, of the wrong kind, or lacks a shard', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat', model: `file://${it.dir}/gone.gguf` });
    expect(await fails(it, 'model')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('found nothing there; set `model`') });
    await it.declare({ id: 'chat', model: '.' });
    expect(await fails(it, 'model')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('found a directory') });
    await writeFile(join(it.dir, 'm-00001-of-00002.gguf'), 'x');
    await it.declare({ id: 'chat', model: 'm-00001-of-00002.gguf' });
    expect(await fails(it, 'model')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('m-00002-of-00002.gguf') });
  });

  it('fails by a file that is no model, and is warned of a header that is cut short', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await writeFile(join(it.dir, 'model.gguf'), '<html>404 Not Found</html>');
    expect(await fails(it, 'model')).toMatchObject({
      verdict: 'fail',
      found: `${join(it.dir, 'model.gguf')}: expected a GGUF file, found another beginning`,
      todo: expect.stringContaining('GGUF'),
    });
    await writeGguf(join(it.dir, 'model.gguf'), tinyModel(smallest));
    await truncate(join(it.dir, 'model.gguf'), 200);
    const { checks, failure } = await examine(it);
    expect(named(checks, 'pool chat: model')).toMatchObject({ verdict: 'warn', found: expect.stringContaining('found the end of the file') });
    expect(failure).toBeNull();
  });

  it('fails by weights that are pickles', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await mkdir(join(it.dir, 'folder'));
    await writeFile(join(it.dir, 'folder/pytorch_model.bin'), 'x');
    await it.declare({ id: 'chat', engine: 'vllm', model: 'folder' });
    expect(await fails(it, 'model')).toMatchObject({ verdict: 'fail', found: 'model_incompatible' });
  });

  it('fails by GPUs that are not there, and says which are', async (t) => {
    const it = await machine(t, { cards: [{}, {}] });
    await it.declare({ id: 'chat', devices: [0, 'GPU-11111111-2222-3333-4444-555555555555'] });
    expect(await fails(it, 'GPUs')).toMatchObject({
      verdict: 'fail',
      found: 'gpu_missing',
      todo: expect.stringMatching(/GPU-11111111\S* \(absent\); found 0 GPU-.*; correct devices/),
    });
  });

  it('is warned of ports that are all in use, since its own engine may have them', async (t) => {
    const it = await machine(t, { cards: [{}] });
    const [port, { first }] = [await busyPort(t), await freePorts(2)];
    await it.declare({ id: 'chat', ports: [port] });
    const { checks, failure } = await examine(it);
    expect(named(checks, 'pool chat: ports')).toMatchObject({
      verdict: 'warn',
      found: `expected one of ${port} to be free on 127.0.0.1, found all in use`,
      todo: expect.stringContaining('pool-managerd status chat'),
    });
    expect(failure).toBeNull();
    await it.declare({ id: 'chat', ports: [port, first] });
    expect(named((await examine(it)).checks, 'pool chat')).toMatchObject({
      found: expect.stringContaining(`${first} free on 127.0.0.1, of ${port}, ${first}`),
    });
  });

  it("fails by the daemon's own ports, and by a port that is another pool's only one", async (t) => {
    const it = await machine(t, { cards: [{}] });
    const [{ first }, metrics] = [await freePorts(4), Number((await freePorts(2)).first)];
    const env = { ...it.env, PROMETHEUS_METRICS_PORT: String(metrics) };
    const api = Number(it.env['POOL_MANAGERD_BIND_ADDR']?.split(':')[1]);
    await it.declare(
      { id: 'chat', ports: [api] },
      { id: 'told', ports: [metrics] },
      { id: 'one', ports: [first] },
      { id: 'two', ports: [first] },
      { id: 'three', ports: [first, first + 1] },
    );
    const { checks } = await examine({ ...it, env });
    const found = (id: string) => named(checks, `pool ${id}: ports`);
    expect(found('chat')).toMatchObject({ verdict: 'fail', found: expect.stringMatching(/found \d+, which is that of the daemon's own API/) });
    expect(found('told')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('PROMETHEUS_METRICS_PORT') });
    expect(found('one')).toMatchObject({ verdict: 'fail', found: expect.stringContaining(`found ${first}, which is that of pool two as well`) });
    expect(found('two')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('pool one') });
    expect(named(checks, 'pool three')).toMatchObject({ verdict: 'ok' });
  });

  it('fails by an address that is none of this machine', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await writeFile(join(it.dir, 'key'), 'secret\n');
    await it.declare({ id: 'chat', host: '192.0.2.1', ports: [18080], api_key_file: join(it.dir, 'key') });
    expect(await fails(it, 'ports')).toMatchObject({
      verdict: 'fail',
      found: expect.stringContaining('EADDRNOTAVAIL'),
      todo: expect.stringContaining('host'),
    });
  });

  it('fails by a key that cannot be read, or is none', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat', api_key_file: join(it.dir, 'key') });
    expect(await fails(it, 'api_key_file')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('ENOENT') });
    await writeFile(join(it.dir, 'key'), '\n');
    expect(await fails(it, 'api_key_file')).toMatchObject({ verdict: 'fail', found: expect.stringContaining('found nothing') });
  });
});

describe('what is fetched', () => {
  it('is told as to come, then as there, and nobody is asked for either', async (t) => {
    const it = await machine(t, { cards: [{}] });
    const server = await fileServer(t);
    const engine =
      '#!/bin/sh\ncase "$1" in\n--version) echo "version: 1.2.3 (build 1)" >&2 ;;\n--help) echo "-m,    --model FNAME   the model" ;;\n*) exit 1 ;;\nesac\n';
    const archive = tarGz([{ name: 'llama-server', content: Buffer.from(engine) }]);
    const url = server.put('/engine.tar.gz', { content: archive });
    await it.declare({
      id: 'chat',
      model: `${server.put('/m.gguf', { content: await readFile(join(it.dir, 'model.gguf')) })}?token=secret`,
      provisioning: { mode: 'binary', binary: { url, checksum: `sha256:${sha256Of(archive)}` } },
    });
    const simulated = { ...it, env: { ...it.env, POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB' } };
    const before = named((await examine(simulated)).checks, 'pool chat');
    expect(before).toMatchObject({
      verdict: 'ok',
      found: expect.stringMatching(
        /engine\.tar\.gz is not here yet: fetched at the first start, .*; model: \S+m\.gguf is not here yet: downloaded at the first start/,
      ),
    });
    expect(before?.found).not.toContain('secret');
    expect(server.asked).toEqual([]);
    expect(existsSync(join(it.dir, 'cache'))).toBe(false);
    expect((await runCommand(['pull'], { env: simulated.env })).exitCode).toBe(0);
    const asked = server.asked.length;
    expect(named((await examine(simulated)).checks, 'pool chat')).toMatchObject({
      verdict: 'ok',
      found: expect.stringMatching(/^engine: \S+\/cache\/engines\/\S+; model: \S+\/cache\/models\/\S+m\.gguf, \d+\.\d KiB; /),
    });
    expect(server.asked).toHaveLength(asked);
  });

  it('of a hub is found in its cache, and fails where the hub must not be asked', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat', model: 'hf:org/tiny/m.gguf' });
    const hub = join(it.dir, 'hub');
    const offline = { ...it, env: { ...it.env, HF_HUB_CACHE: hub, HF_HUB_OFFLINE: '1' } };
    expect(await fails(offline, 'model')).toMatchObject({ verdict: 'fail', todo: expect.stringContaining('HF_HUB_OFFLINE') });
    const [commit, repo] = ['a'.repeat(40), join(hub, 'models--org--tiny')];
    for (const folder of ['refs', `snapshots/${commit}`]) await mkdir(join(repo, folder), { recursive: true });
    await writeFile(join(repo, 'refs/main'), commit);
    await copyFile(join(it.dir, 'model.gguf'), join(repo, 'snapshots', commit, 'm.gguf'));
    expect(named((await examine(offline)).checks, 'pool chat')).toMatchObject({ verdict: 'ok', found: expect.stringContaining(`${commit}/m.gguf`) });
  });

  it.for([
    ['container', { container: { image: 'ghcr.io/org/engine', digest: `sha256:${'a'.repeat(64)}` } }, 'podman or docker'],
    ['package', { package: { version: '1.0' } }, 'uv or python3'],
    ['source', { source: { ref: 'b1' } }, 'git, cmake, c++'],
  ] as const)('by mode %s fails without what it takes', async ([mode, how, tools], t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare({ id: 'chat', engine: mode === 'package' ? 'vllm' : 'llamacpp', provisioning: { mode, ...how } });
    const env = { ...it.env, PATH: it.dir, POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB' };
    const { found, todo } = (await fails({ ...it, env }, 'engine')) ?? {};
    expect(`${found}; ${todo}`).toContain(`expected ${tools}`);
  });

  it('as a container fails where engines are to be units', async (t) => {
    const it = await machine(t, { cards: [{}] });
    const container = { image: 'ghcr.io/org/engine', digest: `sha256:${'a'.repeat(64)}` };
    await it.declare({ id: 'chat', provisioning: { mode: 'container', container } });
    const env = { ...it.env, POOL_MANAGERD_LAUNCHER: 'systemd' };
    expect(await fails({ ...it, env }, 'engine')).toMatchObject({ todo: expect.stringContaining('POOL_MANAGERD_LAUNCHER=detached') });
  });
});

describe('where no GPU can be listed', () => {
  it('that is said once for all pools, and is no finding of any', async (t) => {
    const it = await machine(t, { cards: [], silent: true, exitCode: 9, message: 'NVIDIA-SMI has failed' });
    await it.declare({ id: 'chat' }, { id: 'other', devices: [7] });
    const { checks } = await examine(it);
    expect(named(checks, 'GPUs of the pools')).toMatchObject({ verdict: 'unknown', found: expect.stringContaining('no GPU can be listed') });
    expect(named(checks, 'pool other')).toMatchObject({ verdict: 'ok', found: expect.not.stringContaining('GPUs:') });
  });

  it('it is not known whether a build for them is there', async (t) => {
    const it = await machine(t, { cards: [], silent: true, exitCode: 9, message: 'NVIDIA-SMI has failed' });
    await it.declare({ id: 'chat', provisioning: { mode: 'source', source: { ref: 'b1' } } });
    expect(named((await examine(it)).checks, 'pool chat: engine')).toMatchObject({ verdict: 'unknown' });
  });
});

describe('five hundred pools', () => {
  it('are told in fewer than 200 rows, and those that are not told fail too', async (t) => {
    const it = await machine(t, { cards: [{}] });
    await it.declare(...Array.from({ length: 500 }, (_, index) => ({ id: `pool-${index}`, ...(index % 2 === 0 ? {} : { model: 'gone.gguf' }) })));
    const { checks, failure } = await examine(it);
    const rows = checks.filter(({ name }) => name.startsWith('pool ') || name === 'more pools');
    expect(rows.length).toBeLessThan(200);
    expect(rows.filter(({ name }) => name === 'more pools')).toEqual([
      {
        name: 'more pools',
        verdict: 'fail',
        found: expect.stringMatching(/^230 with findings that are not told here: pool-41, .*, …$/),
        todo: expect.any(String),
      },
      { name: 'more pools', verdict: 'ok', found: '200 without findings', todo: null },
    ]);
    expect(failure).toMatch(/^21 of/);
  });
});
