/** What the daemon starts for itself ends with it, however it ends. Its engines do not. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { childRunner } from '../../src/gpu/run-child.ts';
import { helper } from '../../src/os/helper.ts';
import { identityOfPid, isAlive } from '../../src/os/proc-stat.ts';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { fakeNvidiaSmi } from '../kit/nvidia-smi.ts';
import { until } from '../kit/until.ts';

const lacksSetpriv = !existsSync('/usr/bin/setpriv');

describe.skipIf(lacksSetpriv)('with setpriv', () => {
  it('a hung nvidia-smi is gone within a second of the kill of its daemon, and its engines are not (row 93)', patient, async (t) => {
    const house = await daemonHouse(t);
    await house.declare([house.stub('pool-0')]);
    const before = await house.start();
    await before.ready('pool-0');
    const engine = house.run('pool-0')?.pid ?? 0;
    await before.end('SIGKILL');

    const tool = await fakeNvidiaSmi({ cards: [{}, {}], hang: 'ignore_term' });
    t.onTestFinished(() => tool.remove());
    // With an engine to adopt it starts on a machine without a card too.
    const daemon = house.begin({ POOL_MANAGERD_GPU_SOURCE: 'nvidia-smi', PATH: tool.env['PATH'] ?? '' });
    const hung = await asking('a tool that hangs', async () => (await tool.runs()).map(({ pid }) => identityOfPid(pid)).find((one) => one !== null));
    expect(isAlive(hung)).toBe(true);

    daemon.signal('SIGKILL');
    await daemon.ended;
    await until('the tool to be gone', () => !isAlive(hung), 1_000);
    expect(house.left()).toEqual([engine]);
  });

  it('a tool keeps its arguments, its exit code and its absence', async () => {
    const runner = (executable: string) => childRunner({ executable, env: { PATH: process.env['PATH'] } });
    expect(await runner('sh').run(['-c', 'echo "$1"; exit 3', 'sh', '--pdeathsig'], 5_000)).toMatchObject({ exitCode: 3, stdout: '--pdeathsig\n' });
    expect(await runner('no-such-tool').run([], 5_000)).toMatchObject({ end: 'not_run', error: expect.stringContaining('ENOENT') });
    expect(helper('no-such-tool', ['-x'])).toEqual({ file: 'no-such-tool', argv: ['-x'] });
  });
});
