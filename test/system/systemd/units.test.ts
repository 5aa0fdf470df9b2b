/** The packaged units by systemd's own judgement, and what their users may and may not (rows 4, 8, 13; S1, S2, S13, S28, S29, S38). */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse, whyNoHouse } from '../../kit/nspawn/house.ts';
import { until } from '../../kit/until.ts';

const units = resolve(import.meta.dirname, '../../../packaging/systemd');
const named = (ending: RegExp): readonly string[] => readdirSync(units).filter((name) => ending.test(name));

/** In systemd since 250 or later, by their manual pages' "Added in version". */
const newerThan249 =
  /^(?:RestartSteps|RestartMaxDelaySec|RestartMode|FileDescriptorStorePreserve|DelegateSubgroup|MemoryPressureWatch|MemoryPressureThresholdSec|LoadCredentialEncrypted|SetCredentialEncrypted|ImportCredential|RestrictFileSystems|RestrictNetworkInterfaces|OpenFile|MemoryKSM|RootEphemeral|ExtensionDirectories|MemoryZSwapMax|SurviveFinalKillSignal|PrivatePIDs|ProtectHostnameEx|StartupAllowedCPUs|StartupCPUWeightEx|PassFileDescriptorsToExec|PollLimitBurst|PollLimitIntervalSec|TimeoutCleanSecEx|ExitTypeEx|ExitType|LogFilterPatterns|ManagedOOMMemoryPressureDurationSec|EffectiveMemoryMax|PrivateBPF|ConditionVersion)=/m;

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;
if (!hasAnalyze) console.log('not run: the exposure of units: systemd-analyze is not installed');

describe('the unit files', () => {
  it.each(named(/\.(?:service|socket|slice|target)$/))('%s has no key that systemd 249 does not know', (name) => {
    const text = readFileSync(join(units, name), 'utf8');
    expect(newerThan249.exec(text)?.[0] ?? null).toBeNull();
    expect(text).not.toMatch(/Type=(?:notify-reload|exec-reload)/);
  });

  it.skipIf(!hasAnalyze).each(named(/\.service$/))('%s is exposed less than 2.0', (name) => {
    const { status, stdout } = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', '--no-pager', join(units, name)], {
      encoding: 'utf8',
    });
    console.log(stdout.trim().split('\n').at(-1));
    expect(status).toBe(0);
  });

  it.each(['engine-stop', 'engine-ended', 'reload'])('%s is a script that a plain shell reads', (name) => {
    execFileSync('sh', ['-n', join(units, name)]);
  });
});

const whyNot = whyNoHouse();
if (whyNot !== null) console.log(`not run: the units under systemd: ${whyNot}`);

describe.skipIf(whyNot !== null)('installed and started', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
  });
  afterAll(async () => {
    await house?.destroy();
  });

  it('systemd-analyze verify has nothing to say', async () => {
    const dir = '/usr/lib/systemd/system';
    const {
      code: status,
      stdout,
      stderr,
    } = await house.run(['systemd-analyze', 'verify', ...named(/\.(?:service|socket|slice|target)$/).map((name) => `${dir}/${name}`)]);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('starts as it should without a token file, and with one takes the token from there only (S1, S2)', async () => {
    const token = 'a-token-that-is-long-enough';
    await house.ok(['sh', '-c', `umask 077; printf %s ${token} > /etc/pool-managerd/token`]);
    await house.ok(['systemctl', 'restart', 'pool-managerd']);
    const curl = (...more: string[]) =>
      house.ok(['curl', '--silent', '--output', '/dev/null', '--write-out', '%{http_code}', ...more, 'http://127.0.0.1:9200/v2/pools']);
    expect(await curl()).toBe('401');
    expect(await curl('--header', `authorization: Bearer ${token}`)).toBe('200');
    const shown = await house.ok(['systemctl', 'show', 'pool-managerd', 'llama-engine@chat'], { user: 'nobody' });
    expect(shown).not.toContain(token);
    for (const pid of [await house.daemonPid(), (await house.engine('chat')).pid]) {
      const environment = await house.ok(['cat', `/proc/${pid}/environ`]);
      expect(environment).not.toContain(token);
      if (pid !== (await house.daemonPid())) expect(environment).not.toMatch(/NOTIFY_SOCKET|LISTEN_FDS|WATCHDOG_USEC|CREDENTIALS_DIRECTORY|LLORCH/);
    }
    await house.ok(['rm', '/etc/pool-managerd/token']);
    await house.ok(['systemctl', 'restart', 'pool-managerd']);
    expect(await curl()).toBe('200');
  });

  it('has the folder of logs without which no unit of an engine starts', async () => {
    await house.ok(['install', '-d', '-o', 'pool-managerd', '-g', 'llama-engine', '-m', '710', '/var/lib/pool-managerd/logs/by-hand']);
  });

  it.each([
    ['start', 'llama-engine@by-hand.service'],
    ['restart', 'llama-engine@by-hand.service'],
    ['stop', 'llama-engine@by-hand.service'],
    ['reset-failed', 'llama-engine@chat.service'],
  ])('the daemon’s user may %s %s (S28)', async (...argv) => {
    await house.ok(['systemctl', '--no-ask-password', ...argv], { user: 'pool-managerd' });
  });

  it.each([
    ['systemctl', 'kill', 'llama-engine@chat.service'],
    ['systemctl', 'set-property', '--runtime', 'llama-engine@chat.service', 'CPUWeight=1'],
    ['systemctl', 'freeze', 'llama-engine@chat.service'],
    ['systemctl', 'clean', 'llama-engine@by-hand.service'],
    ['systemctl', 'restart', 'polkit.service'],
    ['systemctl', 'stop', 'pool-managerd.service'],
    ['systemctl', 'stop', 'llama-engines.target'],
    ['systemctl', 'stop', 'llama-engines.slice'],
    ['systemctl', 'start', 'llama-engine@..\\x2fx.service'],
    ['systemctl', 'start', 'llama-engine@A.service'],
    ['systemctl', 'start', 'llama-engine@a_b.service'],
    ['systemctl', 'start', 'llama-engine@-.service'],
    ['systemctl', 'start', 'xllama-engine@chat.service'],
    ['systemctl', 'mask', '--runtime', 'llama-engine@chat.service'],
    ['systemctl', 'enable', '--runtime', 'pool-managerd.service'],
    ['systemctl', 'daemon-reload'],
    ['systemctl', 'daemon-reexec'],
    ['systemctl', 'set-environment', 'A=B'],
    ['systemd-run', '--quiet', 'true'],
    ['systemd-run', '--quiet', '--scope', 'true'],
    ['systemd-run', '--quiet', '--unit=llama-engine@evil.service', 'true'],
  ])('the daemon’s user is denied %s %s %s %s (S13, S28)', async (tool, ...argv) => {
    const { code, stderr } = await house.run([tool, '--no-ask-password', ...argv.filter((word) => word !== undefined)], { user: 'pool-managerd' });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/Access denied|Permission denied/);
  });

  it.each(['nobody', 'llama-engine'])('%s may ask nothing of systemd', async (user) => {
    for (const verb of ['start', 'stop', 'restart', 'reset-failed'])
      expect((await house.run(['systemctl', '--no-ask-password', verb, 'llama-engine@chat.service'], { user })).stderr).toMatch(
        /Access denied|authentication required/i,
      );
  });

  it('the engines’ user reads specs, and none of the daemon’s state; it writes neither (S38)', async () => {
    const as = { user: 'llama-engine' };
    expect(await house.ok(['cat', '/run/pool-managerd/specs/chat.json'], as)).toContain('"poolId":"chat"');
    for (const path of ['/var/lib/pool-managerd', '/var/lib/pool-managerd/runs', '/run/pool-managerd/engines'])
      expect((await house.run(['ls', path], as)).code, path).not.toBe(0);
    for (const path of ['/run/pool-managerd/specs/x', '/run/pool-managerd/engines/x.json', '/var/lib/pool-managerd/x', '/run/llama-engines/x'])
      expect((await house.run(['touch', path], as)).code, path).not.toBe(0);
    expect((await house.run(['cat', '/run/pool-managerd/specs/chat.json'], { user: 'nobody' })).code).not.toBe(0);
  });

  it('an engine sees of the state its own log and nothing else', async () => {
    const { pid } = await house.engine('chat');
    const inside = (path: string) => house.ok(['nsenter', '-t', String(pid), '-m', 'ls', '-A', path]);
    expect((await inside('/var/lib/pool-managerd')).trim()).toBe('logs');
    expect((await inside('/var/lib/pool-managerd/logs')).trim()).toBe('chat');
  });

  it('an engine listens on loopback only (S24)', async () => {
    const pids = (await house.engines()).map(({ pid }) => pid);
    const listening = (await house.ok(['ss', '-ltnpH'])).split('\n').filter((line) => pids.some((pid) => line.includes(`pid=${pid},`)));
    expect(listening.length).toBeGreaterThanOrEqual(pids.length);
    for (const line of listening) expect(line).toMatch(/^LISTEN\s+\d+\s+\d+\s+(?:127\.\d+\.\d+\.\d+|\[::1\]):\d+\s/);
  });

  it('an engine reaches loopback and no other address (S24)', async (context) => {
    const unit = 'llama-engine@chat';
    // systemd shows its sets in any order.
    const shown = async (property: string): Promise<readonly string[]> => (await house.show(unit, property)).split(' ').sort();
    expect(await shown('IPAddressAllow')).toEqual(['127.0.0.0/8', '::1/128']);
    expect(await shown('IPAddressDeny')).toEqual(['0.0.0.0/0', '::/0']);
    // Another address of this very machine, so that nothing has to be reached in any network.
    await house.ok(['ip', 'address', 'replace', '192.0.2.7/32', 'dev', 'lo']);
    const listen = 'import http.server; http.server.HTTPServer(("0.0.0.0", 8099), http.server.SimpleHTTPRequestHandler).serve_forever()';
    await house.ok(['systemd-run', '--quiet', '--unit=listens-everywhere', 'python3', '-c', listen]);
    const asking = (address: string, ...properties: readonly string[]) => {
      const curl = ['curl', '--silent', '--output', '/dev/null', '--max-time', '3', '--retry', '5', '--retry-connrefused', `http://${address}:8099/`];
      return house.run(['systemd-run', '--quiet', '--wait', ...properties.map((property) => `--property=${property}`), ...curl]);
    };
    const asTheUnit = ['IPAddressDeny=any', 'IPAddressAllow=localhost'];
    try {
      expect((await asking('192.0.2.7')).code).toBe(0);
      expect((await asking('127.0.0.1', ...asTheUnit)).code).toBe(0);
      const filters = (await asking('127.0.0.1', 'IPAddressDeny=any')).code !== 0;
      if (!filters) context.skip('systemd cannot filter by control group here: what denies everything reaches loopback');
      expect((await asking('192.0.2.7', ...asTheUnit)).code).not.toBe(0);
    } finally {
      await house.run(['systemctl', 'stop', 'listens-everywhere']);
    }
  });

  it('neither leaves core dumps (S29)', async () => {
    for (const pid of [await house.daemonPid(), (await house.engine('chat')).pid])
      expect(await house.ok(['cat', `/proc/${pid}/limits`])).toMatch(/Max core file size\s+0\s+0/);
  });

  it('the OOM killer takes engines before others, and the daemon last (row 15)', async (context) => {
    expect(Number(await house.ok(['cat', `/proc/${(await house.engine('chat')).pid}/oom_score_adj`]))).toBe(300);
    const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(await house.ok(['cat', '/proc/1/status']))?.[1] ?? '0'}`);
    const resource = 24n;
    if (((capabilities >> resource) & 1n) === 0n) context.skip('systemd has no CAP_SYS_RESOURCE here and cannot lower a score');
    expect(Number(await house.ok(['cat', `/proc/${await house.daemonPid()}/oom_score_adj`]))).toBe(-500);
  });

  it('a configuration that is wrong is not tried again (exit 78)', async () => {
    await house.write('/etc/pool-managerd/environment', 'POOL_MANAGERD_BIND_ADDR=nonsense\n');
    await house.ok(['systemctl', 'stop', 'pool-managerd.socket']);
    await house.ok(['systemctl', 'reset-failed', 'pool-managerd']);
    await house.run(['systemctl', 'restart', 'pool-managerd']);
    expect(await house.show('pool-managerd', 'ExecMainStatus')).toBe('78');
    expect(await house.show('pool-managerd', 'NRestarts')).toBe('0');
    expect(await house.show('pool-managerd', 'ActiveState')).toBe('failed');
  });

  it('a daemon that cannot start is left alone after ten times (row 13)', async () => {
    await house.write('/etc/systemd/system/pool-managerd.service.d/broken.conf', '[Service]\nExecStart=\nExecStart=/bin/false\n');
    await house.ok(['systemctl', 'daemon-reload']);
    await house.ok(['systemctl', 'reset-failed', 'pool-managerd']);
    await house.run(['systemctl', 'start', 'pool-managerd']);
    await until('systemd to give up', async () =>
      (await house.ok(['journalctl', '-o', 'cat', '-u', 'pool-managerd'])).includes('repeated too quickly'),
    );
    expect(await house.show('pool-managerd', 'ActiveState')).toBe('failed');
    expect(await house.show('pool-managerd', 'NRestarts')).toBe('10');
  });
});
