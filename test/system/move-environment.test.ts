/** An environment by the real venv and pip, out of a wheel of our own, to a machine of the same kind that has neither network nor wheel. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { entriesOf, type TarEntry, tarOf } from '../kit/archives.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { sha256Of } from '../kit/file-server.ts';
import { type Ran, runCommand } from '../kit/run-command.ts';
import { wheel } from '../kit/wheel.ts';

const hasVenv = spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0;
const pools = [
  { id: 'chat', engine: 'vllm', model: '/nowhere', devices: [0], provisioning: { mode: 'package', package: { name: 'vllm', version: '1.0.0' } } },
];

interface Carried {
  engines: {
    files: { path: string; sha256: string; bytes: number }[];
    environment: { python: { path: string; version: string }; links: { path: string; target: string }[] };
  }[];
}

it.skipIf(!hasVenv)(
  'an environment by venv and pip runs at the same path of another machine, and is refused elsewhere',
  { timeout: 180_000 },
  async () => {
    const dir = await temporaryDir();
    const [cache, to] = [join(dir, 'cache'), join(dir, 'carried.tar')];
    writeFileSync(join(dir, 'vllm-1.0.0-py3-none-any.whl'), wheel('1.0.0'));
    writeFileSync(join(dir, 'pools.yaml'), JSON.stringify({ pools }));
    const common = {
      HOME: dir,
      PATH: '/usr/bin:/bin:/usr/local/bin',
      POOL_MANAGERD_STATE_DIR: join(dir, 'state'),
      POOL_MANAGERD_CONFIG: join(dir, 'pools.yaml'),
      POOL_MANAGERD_GPU_SOURCE: 'simulated:1x24GiB',
      PIP_NO_INDEX: '1',
    };
    const withWheel = (...args: readonly string[]): Promise<Ran> =>
      runCommand(args, { env: { ...common, POOL_MANAGERD_CACHE_DIR: cache, PIP_FIND_LINKS: dir } });
    const without = (at: string, ...args: readonly string[]): Promise<Ran> => runCommand(args, { env: { ...common, POOL_MANAGERD_CACHE_DIR: at } });

    // It is the engine that is of interest: the model of the pool is not there.
    await withWheel('pull');
    const [key = ''] = readdirSync(join(cache, 'engines'));
    const program = join(cache, 'engines', key, 'files', 'bin', 'vllm');
    const sent = await withWheel('provision', '--export', to);
    expect(sent.exitCode, sent.stderr).toBe(0);
    const digest = /sha256:[0-9a-f]{64}/.exec(sent.stdout)?.[0] ?? '';
    renameSync(cache, join(dir, 'first'));

    const taken = await without(cache, 'provision', '--import', to, '--expect', digest);
    expect(taken.exitCode, taken.stderr).toBe(0);
    expect(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout).toBe('1.0.0\n');
    expect(readlinkSync(join(cache, 'engines', key, 'files', 'lib64'))).toBe('lib');
    expect(readFileSync(join(cache, 'provenance.jsonl'), 'utf8')).toContain('"imported"');
    const [listed] = (await without(cache, 'engines', '--json')).stdout.trim().split('\n');
    expect(JSON.parse(listed ?? '{}')).toMatchObject({ used_by: ['chat'], version: '1.0.0', from: 'pypi:vllm==1.0.0' });
    const again = await without(cache, 'pull');
    expect(again.stdout, 'nothing has to be installed').toContain(program);

    const elsewhere = join(dir, 'elsewhere');
    const other = await without(elsewhere, 'provision', '--import', to);
    expect([other.exitCode, other.stderr]).toEqual([1, expect.stringContaining(`POOL_MANAGERD_CACHE_DIR=${cache},`)]);
    expect(existsSync(join(elsewhere, 'engines'))).toBe(false);

    rmSync(cache, { recursive: true, force: true });
    const entries = entriesOf(readFileSync(to));
    const changed = (change: (engine: Carried['engines'][number]) => void): TarEntry[] => {
      const manifest: Carried = JSON.parse(String(entries.at(-1)?.content));
      for (const engine of manifest.engines) change(engine);
      return [...entries.slice(0, -1), { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) }];
    };
    const source = sha256Of(readFileSync(join(dir, 'first', 'engines', key, 'files', 'bin', 'vllm')));
    const bad: readonly (readonly [string, TarEntry[], RegExp])[] = [
      [
        'its program is another',
        entries.map((entry) => (entry.name === `files/${source}` ? { ...entry, content: Buffer.from('#!/bin/sh\n') } : entry)),
        /digest_mismatch/,
      ],
      [
        'a link leads out',
        changed(({ environment }) => environment.links.push({ path: 'bin/x', target: '/etc/passwd' })),
        /neither in it nor its interpreter/,
      ],
      [
        'its interpreter has another version',
        changed(({ environment }) => Object.assign(environment.python, { version: '3.0.1' })),
        /expected Python 3\.0\.1 at \S+python3, found 3\.\d+\.\d+; /,
      ],
    ];
    for (const [what, content, found] of bad) {
      writeFileSync(join(dir, 'bad.tar'), tarOf(content));
      const { exitCode, stderr } = await without(cache, 'provision', '--import', join(dir, 'bad.tar'));
      expect([exitCode, stderr], what).toEqual([1, expect.stringMatching(found)]);
      expect(existsSync(join(cache, 'engines')) ? readdirSync(join(cache, 'engines')) : [], what).toEqual([]);
    }
  },
);
