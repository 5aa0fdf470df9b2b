/**
 * A Python environment goes to the same place of a machine with the same interpreter, or nowhere. The interpreter is a stand-in that runs
 * scripts of the shell and says a version; environments by the real venv and pip are in `test/system/move-environment.test.ts`.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { machine } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { identified } from '../../src/provisioning/engines/installed.ts';
import { readEngineRecord, writeEngineRecord } from '../../src/provisioning/engines/record.ts';
import { packagesDigest } from '../../src/provisioning/package/install-package.ts';
import { entriesOf, type TarEntry, tarOf } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { sha256Of } from '../kit/file-server.ts';
import { type Ran, runCommand } from '../kit/run-command.ts';

const key = `vllm-py-${'a'.repeat(20)}`;
const packages = ['torch==2.8.0', 'vllm==0.9.1'];
/** Long ago, in whole seconds. */
const compiledFor = 1_600_000_000;

interface Place {
  readonly dir: string;
  readonly cache: string;
  /** Where the environment lies. */
  readonly files: string;
  readonly interpreter: string;
  /** What the engine saw each time it was started: whether its final place was there. */
  readonly seen: () => readonly string[];
  says(version: string): void;
  run(...args: readonly string[]): Promise<Ran>;
  runAt(cache: string, ...args: readonly string[]): Promise<Ran>;
  /** As if on another machine: the store is gone. */
  forget(): void;
}

const interpreter = (version: string): string => `#!/bin/sh
case "$1" in
-I) echo ${version} ;;
*) exec /bin/sh "$@" ;;
esac
`;

const program = (files: string, log: string): string => `#!${files}/bin/python3
if [ -e '${files}' ]; then echo there; else echo beside; fi >>'${log}'
case "$1" in
--version) echo 0.9.1 ;;
serve) echo "  --model MODEL" ;;
esac
`;

/** A store with an environment as `venv` makes it, and its record as `install-package` writes it. */
const begin = async (): Promise<Place> => {
  const dir = await temporaryDir();
  const [cache, base, log] = [join(dir, 'cache'), join(dir, 'base', 'python3'), join(dir, 'seen')];
  const files = join(cache, 'engines', key, 'files');
  const says = (version: string): void => {
    mkdirSync(join(dir, 'base'), { recursive: true });
    writeFileSync(base, interpreter(version), { mode: 0o755 });
  };
  says('3.11.2');
  const packageDir = join(files, 'lib', 'python3.11', 'site-packages');
  for (const folder of [join(files, 'bin'), join(files, 'include'), join(packageDir, '__pycache__')]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(files, 'pyvenv.cfg'), `home = ${join(dir, 'base')}\ninclude-system-site-packages = false\nversion = 3.11.2\n`);
  writeFileSync(join(packageDir, 'vllm.py'), 'def main(): pass\n');
  writeFileSync(join(packageDir, '__init__.py'), '');
  writeFileSync(join(packageDir, '__pycache__', 'vllm.cpython-311.pyc'), 'compiled');
  utimesSync(join(packageDir, 'vllm.py'), compiledFor, compiledFor);
  writeFileSync(join(files, 'bin', 'vllm'), program(files, log), { mode: 0o755 });
  symlinkSync('lib', join(files, 'lib64'));
  symlinkSync(base, join(files, 'bin', 'python3'));
  symlinkSync('python3', join(files, 'bin', 'python'));
  const content = readFileSync(join(files, 'bin', 'vllm'));
  await writeEngineRecord(join(files, '..'), {
    version: 1,
    key,
    engine: 'vllm',
    from: 'pypi:vllm==0.9.1',
    checksum: packagesDigest(packages),
    executable: 'bin/vllm',
    engineVersion: '0.9.1',
    knownFlags: ['--model'],
    devices: null,
    tokenMs: null,
    hasCuda: false,
    files: await identified(files, [{ path: 'bin/vllm', bytes: content.length, sha256: sha256Of(content) }]),
    packages,
    build: null,
    at: '2026-01-01T00:00:00.000Z',
  });
  const runAt: Place['runAt'] = (at, ...args) =>
    runCommand(args, {
      env: {
        HOME: dir,
        POOL_MANAGERD_CACHE_DIR: at,
        POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
        POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
        PATH: process.env['PATH'] ?? '',
      },
    });
  return {
    dir,
    cache,
    files,
    interpreter: base,
    seen: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
    says,
    run: (...args) => runAt(cache, ...args),
    runAt,
    forget: () => renameSync(cache, join(dir, 'cache-of-the-first')),
  };
};

const exported = async ({ dir, run }: Place): Promise<string> => {
  const to = join(dir, 'carried.tar');
  const { exitCode, stderr } = await run('provision', '--all', '--export', to);
  expect(exitCode, stderr).toBe(0);
  return to;
};

const everything = (dir: string): readonly string[] => (existsSync(dir) ? readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort() : []);
/** Nothing of an engine, not even beside its place. */
const noEngine = (cache: string): void => expect(everything(join(cache, 'engines'))).toEqual([]);

/** Each name with what it is: enough to tell two trees apart. */
const treeOf = (dir: string): readonly unknown[] =>
  everything(dir).map((name) => {
    const facts = lstatSync(join(dir, name));
    if (facts.isSymbolicLink()) return [name, readlinkSync(join(dir, name))];
    if (facts.isDirectory()) return [name];
    return [name, facts.mode & 0o777, Math.floor(facts.mtimeMs / 1_000), sha256Of(readFileSync(join(dir, name)))];
  });

interface Carried {
  engines: {
    key: string;
    executable: string;
    checksum: string;
    files: { path: string; sha256: string; bytes: number }[];
    environment: {
      path: string;
      machine: string;
      packages: string[];
      python: { path: string; version: string };
      folders: string[];
      links: { path: string; target: string }[];
    };
  }[];
}
type CarriedEngine = Carried['engines'][number];

const changed = (entries: readonly TarEntry[], change: (engine: CarriedEngine) => void): TarEntry[] => {
  const manifest: Carried = JSON.parse(String(entries.at(-1)?.content));
  const [engine] = manifest.engines;
  if (engine === undefined) throw new Error('an engine was exported');
  change(engine);
  return [...entries.slice(0, -1), { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }];
};

/** One of its files with other content, and everywhere the digest of that: as somebody would do who wants to be believed. */
const withFile = (entries: readonly TarEntry[], path: string, content: Buffer): TarEntry[] => {
  let old = '';
  const told = changed(entries, ({ files }) => {
    for (const file of files) {
      if (file.path !== path) continue;
      old = file.sha256;
      Object.assign(file, { sha256: sha256Of(content), bytes: content.length });
    }
  });
  return told.map((entry) => (entry.name === `files/${old}` ? { name: `files/${sha256Of(content)}`, content } : entry));
};

describe('an environment', () => {
  it('is carried as it lies to the same path, with the same interpreter, and has its name only once it has shown that it works', async () => {
    const place = await begin();
    const { dir, cache, files, run, seen } = place;
    const [before, to] = [treeOf(files), await exported(place)];
    place.forget();
    const taken = await run('provision', '--import', to);
    expect(taken.exitCode, taken.stderr).toBe(0);
    expect(treeOf(files)).toEqual(before);
    expect(statSync(join(files, 'lib/python3.11/site-packages/vllm.py')).mtimeMs, 'what was compiled of it is good').toBe(compiledFor * 1_000);
    expect(new Set(seen()), 'while it was asked it was not there').toEqual(new Set(['beside']));
    expect(spawnSync(join(files, 'bin', 'vllm'), ['--version'], { encoding: 'utf8' }).stdout).toBe('0.9.1\n');
    expect(everything(join(cache, 'engines')).filter((name) => !name.startsWith(`${key}/files`))).toEqual([key, `${key}/install.json`]);
    expect(await readEngineRecord(join(files, '..'))).toMatchObject({
      from: 'pypi:vllm==0.9.1',
      engineVersion: '0.9.1',
      packages,
      files: [{ path: 'bin/vllm' }],
    });
    expect(JSON.parse(readFileSync(join(cache, 'provenance.jsonl'), 'utf8'))).toMatchObject({
      action: 'imported',
      key,
      from: 'pypi:vllm==0.9.1',
      digests: [packagesDigest(packages)],
    });

    const again = join(dir, 'again.tar');
    expect((await run('provision', '--all', '--export', again)).exitCode).toBe(0);
    expect(readFileSync(again).equals(readFileSync(to)), 'the same bytes from where it was imported').toBe(true);
    expect((await run('provision', '--import', to)).exitCode, 'what is there stays').toBe(0);
    expect(readFileSync(join(cache, 'provenance.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('is refused at another path, which its programs do not name', async () => {
    const place = await begin();
    const to = await exported(place);
    const elsewhere = join(place.dir, 'elsewhere');
    const { exitCode, stderr } = await place.runAt(elsewhere, 'provision', '--import', to);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`engine_incompatible: expected the environment to lie at ${place.files}`);
    expect(stderr).toContain(`found that it would lie at ${join(elsewhere, 'engines', key, 'files')}`);
    expect(stderr).toContain(`POOL_MANAGERD_CACHE_DIR=${place.cache},`);
    noEngine(elsewhere);
  });

  it('is refused without the very interpreter that it was made with', async () => {
    const place = await begin();
    const { cache, run, interpreter: base } = place;
    const to = await exported(place);
    place.forget();
    place.says('3.12.1');
    const other = await run('provision', '--import', to);
    expect([other.exitCode, other.stderr]).toEqual([
      1,
      expect.stringMatching(/engine_incompatible: expected Python 3\.11\.2 at \S+\/base\/python3, found 3\.12\.1; .*Install Python 3\.11\.2/),
    ]);
    writeFileSync(base, '#!/bin/sh\nexit 3\n');
    const broken = await run('provision', '--import', to);
    expect([broken.exitCode, broken.stderr]).toEqual([
      1,
      expect.stringMatching(/expected Python 3\.11\.2 at \S+, found that it ended with exit code 3/),
    ]);
    rmSync(base);
    const gone = await run('provision', '--import', to);
    expect([gone.exitCode, gone.stderr]).toEqual([1, expect.stringMatching(/expected Python 3\.11\.2 at \S+, found no program at that path/)]);
    expect(place.seen(), 'it was never started').toEqual([]);
    noEngine(cache);
  });

  it('is refused on another kind of machine', async () => {
    const place = await begin();
    const entries = entriesOf(readFileSync(await exported(place)));
    place.forget();
    const to = join(place.dir, 'other.tar');
    writeFileSync(to, tarOf(changed(entries, ({ environment }) => Object.assign(environment, { machine: 's390x' }))));
    const { exitCode, stderr } = await place.run('provision', '--import', to);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining(`expected a machine of s390x, found ${machine()}`)]);
    noEngine(place.cache);
  });

  it('that does not work there is left out', async () => {
    const place = await begin();
    const entries = entriesOf(readFileSync(await exported(place)));
    place.forget();
    const to = join(place.dir, 'broken.tar');
    writeFileSync(to, tarOf(withFile(entries, 'bin/vllm', Buffer.from(`#!${place.files}/bin/python\nexit 3\n`))));
    const { exitCode, stderr } = await place.run('provision', '--import', to);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/engine_incompatible: .*exit code 3/)]);
    noEngine(place.cache);
    expect(everything(join(place.cache, 'parts'))).toEqual([]);
  });
});

describe('an environment that was tampered with', () => {
  it('is refused, and nothing of it is ever in the store', async () => {
    const place = await begin();
    const { dir, cache, files } = place;
    const entries = entriesOf(readFileSync(await exported(place)));
    place.forget();
    const linked = (path: string, target: string): TarEntry[] => changed(entries, ({ environment }) => environment.links.push({ path, target }));
    const other = Buffer.from(`home = ${join(dir, 'base')}\nversion = 3.10.0\n`);
    const tampered: Readonly<Record<string, TarEntry[]>> = {
      'a file of it has another digest': entries.map((entry) =>
        entry.content?.toString() === 'compiled' ? { ...entry, content: Buffer.from('Compiled') } : entry,
      ),
      'a link leads to a file of the machine': linked('bin/x', '/etc/passwd'),
      'a link leads up and out': linked('bin/x', '../../../../install.json'),
      'a link leads out by a detour': linked('bin/x', '../lib64/../../x'),
      'a link leads to another program beside its interpreter': linked('bin/x', join(dir, 'base', 'python3.12')),
      'a link lies below a link': linked('lib64/x', '../bin/vllm'),
      'a file lies below a link': changed(entries, (engine) =>
        Object.assign(engine.files.find(({ path }) => path.endsWith('.pyc')) ?? {}, { path: 'bin/python3/x' }),
      ),
      'a link lies where a file is': linked('bin/vllm', 'python3'),
      'a link lies where it would leave': linked('../x', 'bin/vllm'),
      'a folder lies where it would leave': changed(entries, ({ environment }) => environment.folders.push('../x')),
      'its interpreter is another program': changed(entries, ({ environment }) => {
        Object.assign(environment.python, { path: '/bin/sh' });
        for (const link of environment.links) if (link.path === 'bin/python3') link.target = '/bin/sh';
      }),
      'its pyvenv.cfg says another version': withFile(entries, 'pyvenv.cfg', other),
      'its pyvenv.cfg says nothing': withFile(entries, 'pyvenv.cfg', Buffer.from('x')),
      'its program is run by another': withFile(entries, 'bin/vllm', Buffer.from('#!/bin/sh\necho 0.9.1\n')),
      'its program is run by an interpreter in a place like its own': withFile(entries, 'bin/vllm', Buffer.from(`#!${files}/bin/sh\necho 0.9.1\n`)),
      'its packages are others': changed(entries, ({ environment }) => environment.packages.push('evil==1')),
      'its key is not that of an environment': changed(entries, (engine) => Object.assign(engine, { key: `vllm-${'a'.repeat(24)}` })),
      'its path is not that of its key': changed(entries, ({ environment }) => Object.assign(environment, { path: `${cache}/engines/other/files` })),
      'it has no program': changed(entries, (engine) => Object.assign(engine, { executable: 'bin/python3' })),
    };
    for (const [what, content] of Object.entries(tampered)) {
      writeFileSync(join(dir, 'tampered.tar'), tarOf(content));
      const { exitCode, stderr } = await place.run('provision', '--import', join(dir, 'tampered.tar'));
      expect([exitCode, stderr], what).toEqual([1, expect.stringMatching(/(?:install_failed|digest_mismatch): expected .*, found/)]);
      expect(everything(join(cache, 'engines')), what).toEqual([]);
      expect(existsSync(join(cache, 'provenance.jsonl')), what).toBe(false);
    }
    expect(place.seen(), 'it was never started').toEqual([]);
  });
});

describe('an environment that cannot be carried', () => {
  const cases: Readonly<Record<string, readonly [(place: Place) => void, RegExp]>> = {
    'since a link leads out of it': [
      ({ files }) => symlinkSync('/etc/passwd', join(files, 'x')),
      /links that lead out of it, to .*UV_LINK_MODE=copy|links that lead out of it/,
    ],
    'since a link leads nowhere': [({ files }) => symlinkSync('nothing', join(files, 'x')), /the link "x" to "nothing"/],
    'since there is something else in it': [({ files }) => void spawnSync('mkfifo', [join(files, 'pipe')]), /found "pipe", which is none of them/],
    'since it has no interpreter of its own': [({ files }) => rmSync(join(files, 'bin/python3')), /no link to an interpreter/],
    'since nobody knows how it was made': [({ files }) => rmSync(join(files, 'pyvenv.cfg')), /no pyvenv\.cfg/],
    'since it uses packages of the machine': [
      ({ files, dir }) =>
        writeFileSync(join(files, 'pyvenv.cfg'), `home = ${join(dir, 'base')}\nversion = 3.11.2\ninclude-system-site-packages = true\n`),
      /packages of the machine/,
    ],
    'since its interpreter is not where it says': [
      ({ files }) => writeFileSync(join(files, 'pyvenv.cfg'), 'home = /opt/python/bin\nversion = 3.11.2\n'),
      /names an interpreter in \/opt\/python\/bin/,
    ],
  };
  it.each(Object.entries(cases))('%s is named with what to do, and nothing is written', async (_what, [change, found]) => {
    const place = await begin();
    change(place);
    const to = join(place.dir, 'carried.tar');
    const { exitCode, stderr } = await place.run('provision', '--all', '--export', to);
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/pypi:vllm==0\.9\.1: not exported: expected .*, found .*`pool-managerd pull`/)]);
    expect(stderr).toMatch(found);
    expect(existsSync(to)).toBe(false);
  });

  it('since the store was moved is named, since it would not run where it is', async () => {
    const place = await begin();
    const moved = join(place.dir, 'moved');
    renameSync(place.cache, moved);
    const { exitCode, stderr } = await place.runAt(moved, 'provision', '--all', '--export', join(place.dir, 'carried.tar'));
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringMatching(/not exported: expected a program that its own \S+\/moved\/\S+ runs, found .*was the store moved\?/),
    ]);
  });

  it('since its program was written to ends the export', async () => {
    const place = await begin();
    writeFileSync(join(place.files, 'bin', 'vllm'), `#!${place.files}/bin/python\necho evil\n`);
    chmodSync(join(place.files, 'bin', 'vllm'), 0o755);
    const { exitCode, stderr } = await place.run('provision', '--all', '--export', join(place.dir, 'carried.tar'));
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('digest_mismatch')]);
    expect(readdirSync(place.dir).filter((name) => name.startsWith('carried'))).toEqual([]);
  });
});
