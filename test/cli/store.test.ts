/** `pull`, `models`, `engines`, `prune` on a store of their own, against servers of our own. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import { encode } from '../../src/state/codec.ts';
import { declaredForm, runForm } from '../../src/state/forms.ts';
import { tarGz } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { type FileServer, fileServer, sha256Of } from '../kit/file-server.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { type Hub, hubStandIn } from '../kit/hub.ts';
import { type Ran, runCommand } from '../kit/run-command.ts';

const program = Buffer.from(`#!/bin/sh
case "$1" in
--version) echo "version: 1.2.3 (build 1)" >&2 ;;
--help) echo '-m,    --model FNAME   the model' ;;
*) exit 1 ;;
esac
`);
const model = randomBytes(50_000);
const other = randomBytes(60_000);

interface Machine {
  readonly dir: string;
  readonly cache: string;
  readonly server: FileServer;
  readonly hub: Hub;
  declare(...pools: readonly Readonly<Record<string, unknown>>[]): void;
  run(...args: readonly string[]): Promise<Ran>;
}

const machine = async (context: TestContext, more: Readonly<Record<string, string>> = {}): Promise<Machine> => {
  const [server, hub, dir] = [await fileServer(context), await hubStandIn(context), await temporaryDir()];
  const cache = join(dir, 'cache');
  const env = {
    HOME: dir,
    HF_ENDPOINT: hub.url,
    POOL_MANAGERD_CACHE_DIR: cache,
    POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
    POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
    POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
    ...more,
  };
  return {
    dir,
    cache,
    server,
    hub,
    declare: (...pools) =>
      writeFileSync(join(dir, 'pools.yaml'), JSON.stringify({ pools: pools.map((pool) => ({ engine: 'llamacpp', devices: [0], ...pool })) })),
    run: (...args) => runCommand(args, { env }),
  };
};
const release = ({ server }: Machine, name: string) => {
  const archive = tarGz([
    { name: 'llama-server', content: program },
    { name: 'note', content: Buffer.from(name) },
  ]);
  return { mode: 'binary', binary: { url: server.put(`/${name}.tar.gz`, { content: archive }), checksum: `sha256:${sha256Of(archive)}` } };
};

describe('pool-managerd pull', () => {
  it('makes all present that the pools file names, and says where it is', async (context) => {
    const it = await machine(context);
    it.hub.commit('org/tiny', { 'm.gguf': model });
    writeFileSync(join(it.dir, 'm.gguf'), model);
    it.declare({ id: 'chat', model: 'hf:org/tiny', provisioning: release(it, 'one') }, { id: 'local', model: 'm.gguf' });
    const { exitCode, stdout, stderr } = await it.run('pull');
    expect([exitCode, stderr.split('\n').filter((line) => line.includes('fetching')).length]).toEqual([0, 2]);
    const paths = stdout.trim().split('\n');
    expect(paths).toHaveLength(3);
    expect(readFileSync(paths[0] ?? '').equals(program)).toBe(true);
    expect(readFileSync(paths[1] ?? '').equals(model)).toBe(true);
  });

  it('fetches one model by its reference, and asks the hub again what a branch is', async (context) => {
    const it = await machine(context);
    it.hub.commit('org/tiny', { 'm.gguf': model });
    const first = await it.run('pull', 'hf:org/tiny/m.gguf');
    it.hub.commit('org/tiny', { 'm.gguf': other });
    const second = await it.run('pull', 'hf:org/tiny/m.gguf', '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({ kind: 'model', name: 'hf:org/tiny/m.gguf' });
    expect(readFileSync(first.stdout.trim()).equals(model)).toBe(true);
    expect(readFileSync(JSON.parse(second.stdout).path).equals(other)).toBe(true);
  });

  it('goes on after one that cannot be had, and ends with 1 and its reason', async (context) => {
    const it = await machine(context);
    it.declare({ id: 'a', model: `${it.server.url}/nowhere.gguf` }, { id: 'b', model: it.server.put('/m.gguf', { content: model }) });
    const { exitCode, stdout, stderr } = await it.run('pull');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('model_missing');
    expect(stdout).toContain('/m.gguf');
  });

  it('says of a path that nothing is there', async (context) => {
    const it = await machine(context);
    it.declare({ id: 'a', model: 'nowhere.gguf' });
    for (const args of [['pull'], ['pull', 'nowhere.gguf']]) {
      const { exitCode, stderr } = await it.run(...args);
      expect([exitCode, stderr]).toEqual([
        1,
        expect.stringContaining(`expected a readable model at ${join(it.dir, 'nowhere.gguf')}, found nothing there`),
      ]);
    }
  });

  it.each<[string, readonly string[], number]>([
    ['a checksum that is none', ['pull', 'https://x/m.gguf', '--checksum', 'abc'], 64],
    ['an engine that is none', ['pull', 'hf:a/b', '--engine', 'cpu'], 64],
    ['nothing to pull', ['pull'], 64],
    ['a reference that is none', ['pull', 'hf:a'], 1],
  ])('refuses %s', async (_what, args, code) => {
    const dir = await temporaryDir();
    expect((await runCommand(args, { env: { HOME: dir, POOL_MANAGERD_CACHE_DIR: dir } })).exitCode).toBe(code);
  });
});

describe('pool-managerd models and engines', () => {
  it('say what there is, from where, and which pools use it', async (context) => {
    const it = await machine(context);
    it.hub.commit('org/tiny', { 'm.gguf': model });
    it.declare({ id: 'chat', model: 'hf:org/tiny', provisioning: release(it, 'one') });
    expect((await it.run('models')).stdout).toContain('no models in');
    expect((await it.run('engines')).stdout).toContain('no engines in');
    await it.run('pull');
    await it.run('pull', it.server.put('/idle.gguf', { content: other }));
    const models = (await it.run('models', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(models.map(({ reference, used_by: users, bytes }) => [reference, users, bytes]).sort()).toEqual([
      ['hf:org/tiny', ['chat'], model.length],
      [`${it.server.url}/idle.gguf`, [], other.length],
    ]);
    const engines = await it.run('engines');
    expect(engines.stdout).toMatch(/llamacpp +1\.2\.3 +\d.* chat +http/);
    expect(JSON.parse((await it.run('engines', '--json')).stdout)).toMatchObject({
      engine: 'llamacpp',
      version: '1.2.3',
      used_by: ['chat'],
      files: 2,
    });
  });
});

describe('pool-managerd prune', () => {
  it('shows first and removes then what no pool uses, and never what one does', async (context) => {
    const it = await machine(context);
    it.hub.commit('org/tiny', { 'm.gguf': model });
    it.hub.commit('org/old', { 'm.gguf': other, 'n.gguf': randomBytes(10) });
    const [used, unused] = [release(it, 'used'), release(it, 'unused')];
    it.declare({ id: 'old', model: 'hf:org/old/m.gguf', provisioning: unused });
    await it.run('pull');
    const idle = (await it.run('pull', it.server.put('/idle.gguf', { content: other }))).stdout.trim();
    it.declare({ id: 'chat', model: 'hf:org/tiny', provisioning: used });
    const kept = (await it.run('pull')).stdout.trim().split('\n');
    writeFileSync(join(it.cache, 'parts', 'url-0123-0'), 'part');

    const shown = await it.run('prune');
    expect(shown.stdout).toMatch(/hf:org\/old\/m\.gguf[\s\S]*could be freed; nothing was removed/);
    expect(existsSync(idle)).toBe(true);

    const { stdout, exitCode } = await it.run('prune', '--yes', '--json');
    expect(exitCode).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).what)
        .sort(),
    ).toEqual(['engine', 'model', 'model', 'part']);
    expect(existsSync(idle)).toBe(false);
    expect(readdirSync(join(it.cache, 'hub')).filter((name) => name.startsWith('models'))).toEqual(['models--org--tiny']);
    for (const path of kept) expect(existsSync(path), path).toBe(true);
    expect((await it.run('prune')).stdout.trim()).toBe('nothing is unused');
    expect(readFileSync(join(it.cache, 'provenance.jsonl'), 'utf8').match(/"removed"/g)).toHaveLength(4);
  });

  it('keeps what a pool of the API declares, what an engine runs with, and what a pool will go on with', async (context) => {
    const it = await machine(context);
    const urls = ['api', 'running', 'idle'].map((name) => it.server.put(`/${name}.gguf`, { content: Buffer.from(name.repeat(100)) }));
    const paths: string[] = [];
    for (const url of urls) paths.push((await it.run('pull', url)).stdout.trim());
    it.declare({ id: 'chat', model: `${it.server.url}/soon.gguf` });
    for (const folder of ['declared', 'runs']) mkdirSync(join(it.dir, 'state', folder), { recursive: true });
    writeFileSync(join(it.dir, 'state', 'declared', 'api.json'), encode(declaredForm, 'api', gpuSpec({ id: 'api', model: urls[0] ?? null })));
    const run = gpuRun({ poolId: 'run', spec: gpuSpec({ id: 'run' }), model: { id: 'm', path: paths[1] ?? '', bytes: null } });
    writeFileSync(join(it.dir, 'state', 'runs', 'run.json'), encode(runForm, 'run', run));
    writeFileSync(join(it.cache, 'parts', 'url-0123456789abcdef0123456789abcdef-0'), 'of soon.gguf');
    await it.run('prune', '--yes');
    expect(paths.map((path) => existsSync(path))).toEqual([true, true, false]);
    expect(existsSync(join(it.cache, 'parts', 'url-0123456789abcdef0123456789abcdef-0'))).toBe(true);
  });

  it('leaves caches alone that are shared with other tools', async (context) => {
    const shared = await temporaryDir();
    const it = await machine(context, { HF_HUB_CACHE: shared });
    it.hub.commit('org/tiny', { 'm.gguf': model });
    const path = (await it.run('pull', 'hf:org/tiny/m.gguf')).stdout.trim();
    it.declare();
    await it.run('prune', '--yes');
    expect(readFileSync(path).equals(model)).toBe(true);
  });

  it('removes nothing where it is not known what is in use', async (context) => {
    const it = await machine(context);
    const path = (await it.run('pull', it.server.put('/m.gguf', { content: model }))).stdout.trim();
    expect(await it.run('prune', '--yes')).toMatchObject({ exitCode: 78, stderr: expect.stringContaining('pools file') });
    writeFileSync(join(it.dir, 'pools.yaml'), 'pools: [');
    expect((await it.run('prune', '--yes')).exitCode).toBe(78);
    rmSync(join(it.dir, 'pools.yaml'));
    it.declare();
    mkdirSync(join(it.dir, 'state', 'runs'), { recursive: true });
    writeFileSync(join(it.dir, 'state', 'runs', 'pool-0.json'), '{"version":1');
    expect(await it.run('prune', '--yes')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('pool-0.json') });
    expect(existsSync(path)).toBe(true);
  });
});
