/** The package for npm: what is in it, and that it works where it is installed, with no network and nothing beside it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makePackage } from '../../tools/build/package.ts';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly size: number;
}

const npm = (cwd: string, ...args: string[]): string =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', env: { ...process.env, npm_config_cache: join(dir, 'cache'), npm_config_offline: 'true' } });

let dir: string;
let packed: Packed;
let command: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pool-managerd-npm-'));
  const [told] = JSON.parse(npm(dir, 'pack', await makePackage(join(dir, 'package')), '--json')) as readonly Packed[];
  if (told === undefined) throw new Error('npm packed nothing');
  packed = told;
  await writeFile(join(dir, 'package.json'), '{}');
  npm(dir, 'install', '--omit=optional', '--no-audit', '--no-fund', `./${packed.filename}`);
  command = join(dir, 'node_modules/.bin/pool-managerd');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the package', () => {
  it('has scripts of its own, what they read, and the papers; nothing else', () => {
    const folders = new Set(packed.files.map(({ path }) => (path.startsWith('lib/') ? path.split('/').slice(0, -1).join('/') : path)));
    expect([...folders].sort()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'LICENSES-OF-OTHERS',
        'README.md',
        'bin/find-node.js',
        'bin/pool-managerd.js',
        'docs/schemas/pools.schema.json',
        'examples/pools.yaml',
        'lib',
        'lib/src/http/dashboard/page',
        'lib/src/provisioning/self-test',
        'lib/statecharts',
        'package.json',
      ].sort(),
    );
    expect(packed.size).toBeLessThan(4_000_000);
  });

  it('is JavaScript: what Node runs needs no types stripped', () => {
    const scripts = packed.files.map(({ path }) => path).filter((path) => /^(bin|lib)\/[^/]+$/.test(path));
    expect(scripts.filter((path) => !path.endsWith('.js'))).toEqual([]);
  });

  it('is installed without a package of others', () => {
    expect(
      execFileSync('ls', ['-A', join(dir, 'node_modules')], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .sort(),
    ).toEqual(['.bin', '.package-lock.json', 'pool-managerd'].sort());
  });

  it.each(['config example', 'its own example'])('leads editors from %s to the schema that is in it', (which) => {
    const home = join(dir, 'node_modules/pool-managerd');
    const text =
      which === 'config example'
        ? execFileSync(process.execPath, [command, 'config', 'example'], { encoding: 'utf8' })
        : readFileSync(join(home, 'examples/pools.yaml'), 'utf8');
    const [, path = ''] = /^# yaml-language-server: \$schema=(\S+)/.exec(text) ?? [];
    expect(resolve(home, 'examples', path)).toBe(realpathSync(join(home, 'docs/schemas/pools.schema.json')));
  });

  it('walks the tour of the demo where it is installed', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'demo', '--tour', '--free-ports'], {
      encoding: 'utf8',
      cwd: dir,
      timeout: 200_000,
      env: { PATH: '/usr/bin:/bin', HOME: dir },
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });
});
