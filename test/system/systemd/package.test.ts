/** The Debian package in a booted machine: installed, upgraded while engines run, removed, purged. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeExecutable } from '../../../tools/build/executable.ts';
import { executableUnderTest } from '../../kit/executable-under-test.ts';
import { type House, moveIn, whyNoHouse } from '../../kit/nspawn/house.ts';
import { bootMachine, type Machine } from '../../kit/nspawn/machine.ts';

const root = resolve(import.meta.dirname, '../../..');
const whyNot = spawnSync('dpkg-deb', ['--version']).status === 0 ? whyNoHouse() : 'no dpkg-deb on this machine';
if (whyNot !== null) console.log(`not run: the Debian package: ${whyNot}`);

/** The same package under a later version. */
const laterVersion = (deb: string, dir: string): string => {
  const tree = join(dir, 'tree');
  execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*/m, '$&+later'));
  const later = join(dir, 'later.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, later]);
  return later;
};

describe.skipIf(whyNot !== null)('the package', () => {
  let dir: string;
  let deb: string;
  let later: string;
  let machine: Machine;
  let house: House;
  beforeAll(async () => {
    await makeExecutable();
    const built = /^(\S+\.deb) written$/m.exec(execFileSync(join(root, 'packaging/deb/build'), { encoding: 'utf8' }))?.[1] ?? '';
    // In a place that the machine has as well: its own /tmp is empty, and the project may be in ours.
    dir = await mkdtemp('/var/tmp/pool-managerd-package-');
    deb = join(dir, basename(built));
    await copyFile(built, deb);
    later = laterVersion(deb, dir);
    machine = await bootMachine(await executableUnderTest());
  }, 300_000);
  afterAll(async () => {
    await machine?.destroy();
    await rm(dir, { recursive: true, force: true });
  });

  const install = (file: string) => machine.ok(['dpkg', '--install', file], { timeoutMs: 120_000 });
  const isEnabled = async (): Promise<string> => (await machine.run(['systemctl', 'is-enabled', 'pool-managerd.service'])).stdout.trim();
  const isThere = async (path: string): Promise<boolean> => (await machine.run(['test', '-e', path])).code === 0;

  it('installs what is needed, enables the service, and starts nothing', async () => {
    await install(deb);
    expect(await machine.ok(['pool-managerd', '--version'])).toMatch(/\(commit [0-9a-f]{12}/);
    expect(await isEnabled()).toBe('enabled');
    expect((await machine.run(['systemctl', 'is-active', 'pool-managerd.service'])).stdout.trim()).toBe('inactive');
    expect(await machine.ok(['pool-managerd', 'config', 'check', '/etc/pool-managerd/pools.yaml'])).toMatch(/./);
    for (const user of ['pool-managerd', 'llama-engine']) await machine.ok(['id', user]);
    const schema = '/usr/share/pool-managerd/pools.schema.json';
    expect(await machine.ok(['pool-managerd', 'config', 'example'])).toContain(`$schema=${schema}\n`);
    expect(await machine.ok(['head', '--lines=1', '/usr/share/doc/pool-managerd/examples/pools.yaml'])).toContain(`$schema=${schema}\n`);
    for (const path of [schema, '/usr/share/man/man8/pool-managerd.8.gz', '/usr/share/bash-completion/completions/pool-managerd'])
      expect(await isThere(path), path).toBe(true);
    await machine.ok(['bash', '-n', '/usr/share/bash-completion/completions/pool-managerd']);
  });

  it('has pools ready once a pools file is written and the service started', async () => {
    house = await moveIn(machine);
    expect(await house.show('pool-managerd', 'ActiveState')).toBe('active');
  });

  it('is upgraded while engines run: they keep their pids, the pools file stays, and the daemon is another one (row 1)', async () => {
    const [engines, daemon] = [await house.engines(), await house.daemonPid()];
    expect(engines.every(({ pid }) => pid > 0)).toBe(true);
    const pools = await machine.ok(['cat', '/etc/pool-managerd/pools.yaml']);
    await install(later);
    await house.readySince(daemon);
    await house.ready();
    expect(await house.daemonPid()).not.toBe(daemon);
    expect(await house.engines()).toEqual(engines);
    expect(await machine.ok(['cat', '/etc/pool-managerd/pools.yaml'])).toBe(pools);
  });

  it('is removed with daemon and engines, and leaves what they kept', async () => {
    await machine.ok(['dpkg', '--remove', 'pool-managerd'], { timeoutMs: 120_000 });
    expect(await isThere('/usr/bin/pool-managerd')).toBe(false);
    const known = await machine.ok(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'llama-engine@*', 'pool-managerd*']);
    expect(known.split('\n').filter((line) => line !== '' && !/ (?:masked|not-found) +inactive /.test(line))).toEqual([]);
    expect((await machine.run(['pgrep', '--uid', 'llama-engine'])).stdout).toBe('');
    expect(await isThere('/var/lib/pool-managerd/journal')).toBe(true);
    expect(await isThere('/etc/pool-managerd/pools.yaml')).toBe(true);
  });

  it('is installed again as it was: enabled, with its pools, and starting nothing', async () => {
    await install(deb);
    expect(await isEnabled()).toBe('enabled');
    expect((await machine.run(['systemctl', 'is-active', 'pool-managerd.service'])).stdout.trim()).toBe('inactive');
    await machine.ok(['systemctl', 'start', 'pool-managerd.service']);
    await house.ready();
    await machine.ok(['dpkg', '--remove', 'pool-managerd'], { timeoutMs: 120_000 });
  });

  it('stays disabled where somebody had disabled it before it was removed', async () => {
    await install(deb);
    await machine.ok(['systemctl', 'disable', '--quiet', 'pool-managerd.service']);
    await machine.ok(['dpkg', '--remove', 'pool-managerd'], { timeoutMs: 120_000 });
    await install(deb);
    expect(await isEnabled()).toBe('disabled');
    await machine.ok(['dpkg', '--remove', 'pool-managerd'], { timeoutMs: 120_000 });
  });

  it('is purged without a trace of them', async () => {
    await machine.ok(['dpkg', '--purge', 'pool-managerd']);
    for (const path of ['/var/lib/pool-managerd', '/var/cache/pool-managerd', '/etc/pool-managerd', '/usr/lib/pool-managerd/reload'])
      expect(await isThere(path), path).toBe(false);
  });
});
