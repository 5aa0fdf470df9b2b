/** From a machine with a network to one without: everything arrives as it left, or nothing does. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import type { EngineRecord } from '../../src/provisioning/engines/record.ts';
import { collect } from '../../src/provisioning/move/collect.ts';
import { judgeManifest } from '../../src/provisioning/move/manifest.ts';
import { storePaths } from '../../src/provisioning/store/paths.ts';
import { entriesOf, type TarEntry, tarGz, tarOf } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { fileServer, sha256Of } from '../kit/file-server.ts';
import { hubStandIn } from '../kit/hub.ts';
import { type Ran, runCommand } from '../kit/run-command.ts';

const engine = Buffer.from(`#!/bin/sh
case "$1" in
--version) echo "version: 1.2.3 (build 1)" >&2 ;;
--help) echo '-m,    --model FNAME   the model' ;;
*) exit 1 ;;
esac
`);
const [weights, config, byUrl] = [randomBytes(300_000), Buffer.from('{"a": 1}'), randomBytes(200_000)];
const pool = { engine: 'llamacpp', devices: [0] };

interface Machine {
  readonly dir: string;
  readonly cache: string;
  declare(pools: readonly unknown[]): void;
  run(...args: readonly string[]): Promise<Ran>;
}

const machine = async (env: Readonly<Record<string, string>>): Promise<Machine> => {
  const dir = await temporaryDir();
  const cache = join(dir, 'cache');
  const own = {
    HOME: dir,
    POOL_MANAGERD_CACHE_DIR: cache,
    POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
    POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
    POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
    PATH: process.env['PATH'] ?? '',
    ...env,
  };
  return {
    dir,
    cache,
    declare: (pools) => writeFileSync(join(dir, 'pools.yaml'), JSON.stringify({ pools })),
    run: (...args) => runCommand(args, { env: own }),
  };
};

/** One that has fetched what three pools need, and another that has nothing and no network. */
const twoMachines = async (context: Pick<TestContext, 'onTestFinished'>) => {
  const [server, hub] = [await fileServer(context), await hubStandIn(context)];
  hub.commit('org/tiny', { 'model.safetensors': weights, 'config.json': config });
  const archive = tarGz([
    { name: 'top/llama-server', content: engine },
    { name: 'top/lib/notes', content: Buffer.from('of it'), mode: 0o644 },
  ]);
  const binary = { url: server.put('/llama.tar.gz', { content: archive }), checksum: `sha256:${sha256Of(archive)}` };
  const model = server.put('/m.gguf', { content: byUrl });
  const pools = [
    { ...pool, id: 'chat', model, model_source: { checksum: `sha256:${sha256Of(byUrl)}` }, provisioning: { mode: 'binary', binary } },
    { ...pool, id: 'big', engine: 'vllm', model: 'hf:org/tiny', provisioning: { mode: 'external', executable: '/bin/true' } },
    { ...pool, id: 'local', model: import.meta.filename, provisioning: { mode: 'external', executable: '/bin/true' } },
  ];
  const here = await machine({ HF_ENDPOINT: hub.url });
  const there = await machine({ HF_ENDPOINT: 'http://127.0.0.1:1' });
  for (const each of [here, there]) each.declare(pools);
  const pulled = await here.run('pull');
  expect(pulled.exitCode, pulled.stderr).toBe(0);
  return { here, there, pools, takeAway: async () => void (await Promise.all([server.close(), hub.api.close(), hub.files.close()])) };
};

const exported = async (from: Machine, to: string): Promise<string> => {
  const { exitCode, stdout, stderr } = await from.run('provision', '--export', to, '--json');
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout)['digest'];
};

/** Of a manifest, what is changed here. */
interface Carried {
  version: number;
  readonly engines: { key: string; readonly files: { path: string; bytes: number }[] }[];
  readonly models: {
    readonly kind: string;
    key?: string;
    asked?: { repo: string };
    readonly files: { name: string; blob?: string; sha256: string; bytes: number }[];
  }[];
}

const everything = (dir: string): readonly string[] => (existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort() : []);
/** What an import may leave behind when it took nothing in. */
const onlyFolders = (cache: string): readonly string[] =>
  everything(cache).filter((name) => statSync(join(cache, name)).isFile() && !name.startsWith('locks/'));

describe('what pools need', () => {
  it.each(['carried.tar', 'carried/'])('is carried to a machine without a network, as %s, and found there by `pull` and the daemon', async (name) => {
    const { here, there, takeAway } = await twoMachines({ onTestFinished });
    const to = join(here.dir, name);
    const digest = await exported(here, to);
    await takeAway();
    const taken = await there.run('provision', '--import', to, '--expect', digest);
    expect([taken.exitCode, taken.stderr.includes('error')], taken.stderr).toEqual([0, false]);
    expect(taken.stdout.trim().split('\n')).toHaveLength(3);

    const models = (await there.run('models', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(models.flatMap(({ used_by: by }) => by).sort()).toEqual(['big', 'chat']);
    const [installed] = (await there.run('engines', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(installed).toMatchObject({ used_by: ['chat'], version: '1.2.3', files: 2 });
    const snapshot = models.find(({ reference }) => reference === 'hf:org/tiny')?.path;
    expect(readFileSync(join(snapshot, 'model.safetensors')).equals(weights)).toBe(true);
    expect(readFileSync(join(snapshot, 'config.json')).equals(config)).toBe(true);
    expect(readlinkSync(join(snapshot, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect(
      readFileSync(join(there.cache, 'provenance.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)['action']),
    ).toEqual(['imported', 'imported', 'imported']);
    expect(statSync(join(installed.path, 'files/top/llama-server')).mode & 0o777).toBe(0o755);
    expect(statSync(join(installed.path, 'files/top/lib/notes')).mode & 0o777).toBe(0o644);

    // The engine and the model with a checksum touch no network; a branch of a hub is asked again by `pull`, and by no daemon.
    const pulled = await there.run('pull', '--pool', 'chat');
    expect(pulled.exitCode, pulled.stderr).toBe(0);
    expect(readFileSync(pulled.stdout.trim().split('\n')[1] ?? '').equals(byUrl)).toBe(true);
    expect(everything(join(there.cache, 'parts'))).toEqual([]);

    const again = await there.run('provision', '--import', to);
    expect(again.exitCode, 'what is there stays').toBe(0);
    expect(readFileSync(join(there.cache, 'provenance.jsonl'), 'utf8').trim().split('\n')).toHaveLength(3);
  });

  it('is exported as the same bytes each time, and again from where it was imported', async (context) => {
    const { here, there } = await twoMachines(context);
    const [one, two, three] = ['one', 'two', 'three'].map((name) => join(here.dir, name)) as [string, string, string];
    await exported(here, one);
    await exported(here, two);
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    expect((await there.run('provision', '--import', one)).exitCode).toBe(0);
    await exported(there, three);
    expect(readFileSync(three).equals(readFileSync(one))).toBe(true);
  });

  it('that is not there is named, and what changed since it came is not exported', async (context) => {
    const { here, pools } = await twoMachines(context);
    here.declare([
      ...pools,
      { ...pool, id: 'more', model: 'hf:org/other', provisioning: { mode: 'package', package: { name: 'llama', version: '1' } } },
    ]);
    const to = join(here.dir, 'carried.tar');
    const { exitCode, stderr } = await here.run('provision', '--export', to);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/engine of more: not exported: it is not in the store/);
    expect(stderr).toMatch(/hf:org\/other: not exported/);
    expect(existsSync(to), 'what there is was exported').toBe(true);

    here.declare(pools);
    const [key = ''] = readdirSync(join(here.cache, 'models'));
    writeFileSync(join(here.cache, 'models', key, 'm.gguf'), randomBytes(byUrl.length));
    const changed = await here.run('provision', '--export', join(here.dir, 'again.tar'));
    expect([changed.exitCode, changed.stderr]).toEqual([1, expect.stringContaining('digest_mismatch')]);
    expect(readdirSync(here.dir).filter((name) => name.startsWith('again'))).toEqual([]);
  });

  it('is one of export and import, and needs a pools file or --all', async (context) => {
    const { here } = await twoMachines(context);
    expect((await here.run('provision')).exitCode).toBe(64);
    expect((await here.run('provision', '--import', 'a', '--export', 'b')).exitCode).toBe(64);
    rmSync(join(here.dir, 'pools.yaml'));
    expect((await here.run('provision', '--export', join(here.dir, 'x'))).exitCode).toBe(78);
    expect((await here.run('provision', '--all', '--export', join(here.dir, 'x'))).exitCode).toBe(0);
  });
});

describe('a container image', () => {
  it('stays with its runtime, which is said with what to do', async () => {
    const paths = storePaths(join(await temporaryDir(), 'cache'));
    const image: EngineRecord = {
      version: 1,
      key: 'vllm-oci-1',
      engine: 'vllm',
      from: 'oci:registry.example.org/vllm@sha256:00',
      checksum: 'sha256:00',
      executable: '',
      engineVersion: null,
      knownFlags: null,
      devices: null,
      tokenMs: null,
      hasCuda: false,
      files: [],
      packages: null,
      build: null,
      at: '',
    };
    const { manifest, leftOut } = await collect({ paths, engines: [image], models: [] });
    expect(manifest.engines).toEqual([]);
    expect(leftOut).toEqual([{ name: image.from, why: expect.stringContaining('`podman save` and `podman load`') }]);
  });
});

describe('what was tampered with on the way', () => {
  const modelOf = ({ models }: Carried, kind: 'url' | 'hub'): Carried['models'][number] => {
    const found = models.find((model) => model.kind === kind);
    if (found === undefined) throw new Error(`a model of kind ${kind} was carried`);
    return found;
  };
  const firstOf = <T>([first]: readonly T[]): T => {
    if (first === undefined) throw new Error('there is one');
    return first;
  };
  const manifestOf = (entries: readonly TarEntry[]): Carried => JSON.parse(String(entries.at(-1)?.content));
  const withManifest = (entries: readonly TarEntry[], change: (manifest: Carried) => void): TarEntry[] => {
    const manifest = manifestOf(entries);
    change(manifest);
    return [...entries.slice(0, -1), { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }];
  };

  it('is refused whole: nothing of it is ever in the store', async (context) => {
    const { here, there } = await twoMachines(context);
    const to = join(here.dir, 'carried.tar');
    const digest = await exported(here, to);
    const entries = entriesOf(readFileSync(to));
    expect(tarOf(entries).length).toBeGreaterThan(500_000);
    const tampered: Readonly<Record<string, Buffer>> = {
      'a byte of a file is another': (() => {
        const copy = Buffer.from(readFileSync(to));
        copy[600] = (copy[600] ?? 0) ^ 1;
        return copy;
      })(),
      'it ends too early': readFileSync(to).subarray(0, 300_000),
      'a file is gone': tarOf(entries.slice(1)),
      'a file is too many': tarOf([{ name: `files/${'0'.repeat(64)}`, content: Buffer.from('x') }, ...entries]),
      'a file is another, and named by its own digest': tarOf(
        entries.map((entry, index) => (index === 0 ? { name: `files/${sha256Of(Buffer.from('x'))}`, content: Buffer.from('x') } : entry)),
      ),
      'a link is among it': tarOf([{ name: 'files/link', type: '2', target: '/etc/passwd' }, ...entries]),
      'a name leads out': tarOf([{ name: '../escaped', content: Buffer.from('x') }, ...entries]),
      'the manifest is no JSON': tarOf([...entries.slice(0, -1), { name: 'manifest.json', content: Buffer.from('{') }]),
      'the manifest is gone': tarOf(entries.slice(0, -1)),
      'an engine would be put elsewhere': tarOf(withManifest(entries, ({ engines }) => Object.assign(firstOf(engines), { key: 'llamacpp-../../x' }))),
      'a file of an engine would be put elsewhere': tarOf(
        withManifest(entries, ({ engines }) => Object.assign(firstOf(firstOf(engines).files), { path: '../../x' })),
      ),
      'a model would be put elsewhere': tarOf(
        withManifest(entries, (manifest) => Object.assign(firstOf(modelOf(manifest, 'url').files), { name: '../m.gguf' })),
      ),
      'a repository would be put elsewhere': tarOf(
        withManifest(entries, (manifest) => Object.assign(modelOf(manifest, 'hub').asked ?? {}, { repo: '../..' })),
      ),
      'a name of a repository leads out': tarOf(
        withManifest(entries, (manifest) => Object.assign(firstOf(modelOf(manifest, 'hub').files), { name: '../x' })),
      ),
      'a pinned model is another': tarOf(
        withManifest(entries, (manifest) => Object.assign(modelOf(manifest, 'url'), { key: `sha256-${'0'.repeat(32)}` })),
      ),
      'a blob has the name of another': tarOf(
        withManifest(entries, (manifest) =>
          Object.assign(firstOf(modelOf(manifest, 'hub').files.filter(({ blob }) => blob?.length === 64)), { blob: '1'.repeat(64) }),
        ),
      ),
      'the manifest is of a later version': tarOf(withManifest(entries, (manifest) => Object.assign(manifest, { version: 2 }))),
    };
    for (const [what, content] of Object.entries(tampered)) {
      writeFileSync(join(there.dir, 'tampered.tar'), content);
      const { exitCode, stderr } = await there.run('provision', '--import', join(there.dir, 'tampered.tar'));
      expect([exitCode, stderr], what).toEqual([1, expect.stringMatching(/install_failed|digest_mismatch|invalid_spec/)]);
      expect(onlyFolders(there.cache), what).toEqual([]);
    }
    expect(existsSync(join(there.dir, 'escaped'))).toBe(false);
    const other = await there.run('provision', '--import', to, '--expect', `sha256:${'0'.repeat(64)}`);
    expect([other.exitCode, other.stderr], 'another export than was expected').toEqual([1, expect.stringContaining(digest)]);
    expect(onlyFolders(there.cache)).toEqual([]);
  });

  it('as a folder neither: links in it are not followed', async (context) => {
    const { here, there } = await twoMachines(context);
    await exported(here, `${join(here.dir, 'carried')}/`);
    const copy = join(there.dir, 'copy');
    cpSync(join(here.dir, 'carried'), copy, { recursive: true });
    const [first = ''] = readdirSync(join(copy, 'files'));
    rmSync(join(copy, 'files', first));
    symlinkSync('/etc/passwd', join(copy, 'files', first));
    const { exitCode, stderr } = await there.run('provision', '--import', copy);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('neither file nor folder')]);
    expect(onlyFolders(there.cache)).toEqual([]);
  });

  it('a small file of a repository that is not what its name says leaves its model out', async (context) => {
    const { here, there } = await twoMachines(context);
    const to = join(here.dir, 'carried.tar');
    await exported(here, to);
    const other = Buffer.from('{"a": 2}');
    const changed = withManifest(
      entriesOf(readFileSync(to)).map((entry) => (entry.content?.equals(config) ? { name: `files/${sha256Of(other)}`, content: other } : entry)),
      (manifest) => {
        const file = firstOf(modelOf(manifest, 'hub').files.filter(({ name }) => name === 'config.json'));
        Object.assign(file, { sha256: sha256Of(other), bytes: other.length });
      },
    );
    writeFileSync(join(there.dir, 'changed.tar'), tarOf(changed));
    const { exitCode, stderr } = await there.run('provision', '--import', join(there.dir, 'changed.tar'));
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('config.json under a digest that is not its own')]);
    expect((await there.run('models', '--json')).stdout).not.toContain('hf:org/tiny');
  });
});

describe('an engine that does not run on the other machine', () => {
  it('is left out there, and the rest is taken in', async (context) => {
    const { here, there } = await twoMachines(context);
    const to = join(here.dir, 'carried.tar');
    await exported(here, to);
    const broken = Buffer.from('#!/bin/sh\nexit 3\n');
    const entries = entriesOf(readFileSync(to));
    const files = entries.map((entry) => (entry.content?.equals(engine) ? { name: `files/${sha256Of(broken)}`, content: broken } : entry));
    const manifest: Carried = JSON.parse(String(entries.at(-1)?.content).replaceAll(sha256Of(engine), sha256Of(broken)));
    for (const file of manifest.engines[0]?.files ?? []) if (file.path.endsWith('llama-server')) file.bytes = broken.length;
    writeFileSync(
      join(there.dir, 'broken.tar'),
      tarOf([...files.slice(0, -1), { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }]),
    );
    const { exitCode, stdout, stderr } = await there.run('provision', '--import', join(there.dir, 'broken.tar'));
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('engine_incompatible')]);
    expect(stdout.trim().split('\n')).toHaveLength(2);
    expect(everything(join(there.cache, 'engines'))).toEqual([]);
  });
});

describe('a manifest', () => {
  it('and its files are exactly each other’s', () => {
    const model = {
      kind: 'url',
      key: `url-${'a'.repeat(32)}`,
      reference: 'https://h/m',
      at: '',
      main: 'm',
      files: [{ name: 'm', sha256: 'b'.repeat(64), bytes: 1, from: '' }],
    };
    const text = JSON.stringify({ version: 1, engines: [], models: [model] });
    const file = { path: `files/${'b'.repeat(64)}`, bytes: 1, sha256: 'b'.repeat(64) };
    expect(judgeManifest(text, [file]).models).toHaveLength(1);
    expect(() => judgeManifest(text, [])).toThrow(/none with the digest/);
    expect(() => judgeManifest(text, [{ ...file, bytes: 2 }])).toThrow(/nothing was imported/);
    expect(() => judgeManifest(text, [file, { ...file, path: 'stranger' }])).toThrow(/does not name/);
  });
});
