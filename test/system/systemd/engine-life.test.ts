/** How engines that are units begin and end: their exit is known, their whole tree ends, and what is refused says why (rows 14 to 20, 92). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type House, openHouse, whyNoHouse } from '../../kit/nspawn/house.ts';
import { until } from '../../kit/until.ts';

const whyNot = whyNoHouse();
if (whyNot !== null) console.log(`not run: engines as units: ${whyNot}`);

/** Ignores TERM, has a child that left for a session of its own, and listens nowhere. */
const stubborn = `#!/bin/sh
trap '' TERM
setsid sleep 10000 &
echo "stubborn engine in $$"
while :; do sleep 1; done
`;

const spec = (pool: string, executable: string, more: object = {}): string =>
  JSON.stringify({
    version: 1,
    poolId: pool,
    incarnation: `by-hand-${pool}`,
    executable,
    argv: [],
    env: { PATH: '/usr/bin:/bin' },
    logFile: `/var/lib/pool-managerd/logs/${pool}/1-x.log`,
    ...more,
  });

describe.skipIf(whyNot !== null)('an engine as a unit', () => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse();
    await house.write('/srv/stubborn', stubborn, '755');
  });
  afterAll(async () => {
    await house?.destroy();
  });

  /** As the daemon prepares a unit, by hand. */
  const prepare = async (pool: string, text: string): Promise<void> => {
    const logs = `/var/lib/pool-managerd/logs/${pool}`;
    await house.ok([
      'sh',
      '-c',
      `install -d -o pool-managerd -g llama-engine -m 710 ${logs}; : > ${logs}/1-x.log; chown pool-managerd:llama-engine ${logs}/1-x.log; chmod 620 ${logs}/1-x.log`,
    ]);
    await house.ok(
      [
        'sh',
        '-c',
        `cat > /run/pool-managerd/specs/${pool}.json; chown pool-managerd:llama-engine /run/pool-managerd/specs/${pool}.json; chmod 640 /run/pool-managerd/specs/${pool}.json`,
      ],
      { input: text },
    );
  };
  const say = (pool: string, file: 'go' | 'stop', text: string) =>
    house.ok([
      'sh',
      '-c',
      `printf %s "$1" > /run/pool-managerd/specs/${pool}.${file}; chown pool-managerd:llama-engine /run/pool-managerd/specs/${pool}.${file}; chmod 640 /run/pool-managerd/specs/${pool}.${file}`,
      'sh',
      text,
    ]);
  const ended = async (pool: string): Promise<{ result: string; exitCode: string; exitStatus: string }> =>
    until(
      `the unit of ${pool} to say how it ended`,
      async () => {
        if (!['inactive', 'failed'].includes(await house.show(`llama-engine@${pool}`, 'ActiveState'))) return null;
        const { code, stdout } = await house.run(['cat', `/run/llama-engines/${pool}/exit.json`]);
        return code === 0 ? JSON.parse(stdout) : null;
      },
      40_000,
    );
  const log = (pool: string) => house.ok(['cat', `/var/lib/pool-managerd/logs/${pool}/1-x.log`]);

  it('waits for its record, and runs nothing without it', async () => {
    await prepare('waits', spec('waits', '/srv/stubborn'));
    await house.ok(['systemctl', 'start', 'llama-engine@waits']);
    const { pid, startTime } = await house.engine('waits');
    await house.ok(['sleep', '1']);
    expect(await log('waits')).toBe('');
    await say('waits', 'go', 'by-hand-waits');
    await until('the engine to begin', async () => (await log('waits')).includes(`stubborn engine in ${pid}`));
    expect(await house.engine('waits')).toMatchObject({ pid, startTime });
  });

  it('is asked once, given its grace, and then ended with its whole tree (rows 19, 20)', async () => {
    const group = `/sys/fs/cgroup/systemd${await house.show('llama-engine@waits', 'ControlGroup')}/cgroup.procs`;
    const members = (await house.ok(['cat', group])).trim().split('\n');
    expect(members.length).toBeGreaterThanOrEqual(2);
    await say('waits', 'stop', 'TERM 1000\n');
    const begun = house.mono();
    await house.ok(['systemctl', 'stop', 'llama-engine@waits']);
    const took = house.mono() - begun;
    expect(took).toBeGreaterThan(1000);
    expect(took).toBeLessThan(3000);
    expect(await ended('waits')).toMatchObject({ exitCode: 'killed', exitStatus: 'KILL' });
    for (const pid of members) expect((await house.run(['test', '-e', `/proc/${pid}`])).code).toBe(1);
  });

  it.each([
    ['another pool’s spec', 'other', spec('chat', '/srv/stubborn'), /expected the unit's instance other, found chat/],
    ['a relative path', 'relative', spec('relative', 'srv/../stubborn'), /executable: expected an absolute path/],
    ['the daemon’s token', 'token', spec('token', '/srv/stubborn', { env: { LLORCH_API_TOKEN: 'x' } }), /expected no variable/],
    ['a preloaded library', 'preload', spec('preload', '/srv/stubborn', { env: { LD_PRELOAD: '/x.so' } }), /expected no variable/],
    ['a log outside its folder', 'outside', spec('outside', '/srv/stubborn', { logFile: '/run/llama-engines/outside/x.log' }), /own folder of logs/],
    ['an unknown key', 'unknown', spec('unknown', '/srv/stubborn', { user: 'root' }), /user/],
    ['no JSON', 'torn', '{"version":1,', /JSON/],
  ])('refuses %s, and says so (exit 78)', async (_, pool, text, expected) => {
    await prepare(pool, text);
    await house.run(['systemctl', 'start', `llama-engine@${pool}`]);
    expect(await ended(pool)).toMatchObject({ exitCode: 'exited', exitStatus: '78' });
    expect((await house.run(['journalctl', '-o', 'cat', '-u', `llama-engine@${pool}`])).stdout).toMatch(expected);
  });

  it('says what cannot be run as a shell would, in the log of the run (exit 127, 126)', async () => {
    for (const [pool, executable, status] of [
      ['missing', '/srv/nothing', '127'],
      ['plain', '/etc/hostname', '126'],
    ] as const) {
      await prepare(pool, spec(pool, executable));
      await say(pool, 'go', `by-hand-${pool}`);
      await house.ok(['systemctl', 'start', `llama-engine@${pool}`]);
      expect(await ended(pool)).toMatchObject({ exitCode: 'exited', exitStatus: status });
      expect(await log(pool)).toMatch(new RegExp(`cannot run ${executable}`));
    }
  });

  it('that is killed is not ready at once, tells how it ended, and is started again (row 17)', async () => {
    const before = await house.engine('chat');
    const killed = Date.now();
    await house.ok(['kill', '-KILL', String(before.pid)]);
    const { last_error } = await until(
      'another engine',
      async () => {
        const status = await house.status('chat');
        return status.ready && status.restarts === 1 && status;
      },
      60_000,
    );
    expect((await house.engine('chat')).pid).not.toBe(before.pid);
    expect(JSON.stringify(last_error)).toMatch(/SIGKILL/);
    const { stdout } = await house.run(['curl', '--silent', 'http://127.0.0.1:9200/v2/pools/chat/events?limit=50']);
    const noticed = [...stdout.matchAll(/"at":"([^"]+)"[^}]*?/g)].map(([, at = '']) => Date.parse(at)).filter((at) => at >= killed);
    expect(Math.min(...noticed) - killed).toBeLessThan(1000);
    console.log(`kill −9 of an engine to its first transition: ${Math.min(...noticed) - killed} ms`);
  });

  it('that is drained is gone with its unit, and its files', async () => {
    await house.ok([
      'curl',
      '--silent',
      '--fail',
      '--request',
      'POST',
      '--header',
      'content-type: application/json',
      '--data',
      '{"deadline_ms":1000}',
      'http://127.0.0.1:9200/v2/pools/chat/drain',
    ]);
    await until('the pool to be offline', async () => (await house.status('chat')).state === 'offline', 30_000);
    expect(await house.show('llama-engine@chat', 'ActiveState')).toBe('inactive');
    expect((await house.run(['ls', '/run/pool-managerd/specs'])).stdout).not.toMatch(/^chat\./m);
  });

  it('is asked to end before it is killed when the machine is shut down (row 92)', async () => {
    const asked = '#!/bin/sh\ntrap "echo asked; exit 0" TERM\necho begun\nwhile :; do sleep 0.1; done\n';
    await house.write('/srv/asked', asked, '755');
    await prepare('asked', spec('asked', '/srv/asked'));
    await say('asked', 'go', 'by-hand-asked');
    await house.ok(['systemctl', 'start', 'llama-engine@asked']);
    await until('the engine to begin', async () => (await log('asked')).includes('begun'));
    await house.ok(['systemctl', 'stop', 'llama-engines.target']);
    expect(await ended('asked')).toMatchObject({ result: 'success' });
    expect(await log('asked')).toContain('asked');
  });
});
