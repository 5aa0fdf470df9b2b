/** The command line against a running daemon. */
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { asking } from '../kit/daemon-api.ts';
import { runCommand, startCommand } from '../kit/run-command.ts';

describe.concurrent('the command line', patient, () => {
  it('shows node, pools and cards, orders and waits, and follows logs and events', async (t) => {
    const house = await daemonHouse(t);
    await house.declare([
      house.stub('pool-0'),
      house.stub('pool-1', { preload: false, devices: [1] }),
      house.stub('broken', { model: 'nothing.gguf', devices: [1] }),
    ]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    const run = (...args: readonly string[]) => runCommand(['--url', daemon.url, ...args]);
    const json = async (...args: readonly string[]) => JSON.parse((await run(...args, '--json')).stdout);

    const status = await run('status');
    expect(status).toMatchObject({ exitCode: 0, stderr: '' });
    expect(status.stdout).toMatch(/node-0 serving/);
    expect(status.stdout).toMatch(/^pool-0 +ready\.healthy/m);
    expect(status.stdout).toMatch(/^broken +offline\.failed .*model_missing/m);
    expect((await run('status', 'broken')).stdout).toContain('nothing.gguf');
    expect((await run('pools')).stdout.split('\n').filter((line) => line !== '')).toHaveLength(4);
    expect((await run('gpus')).stdout).toMatch(/Simulated 24 GiB \(simulated\)/);
    expect(await json('status')).toMatchObject({
      node: { node_id: 'node-0' },
      pools: [{ pool_id: 'broken' }, { pool_id: 'pool-0' }, { pool_id: 'pool-1' }],
    });
    expect(await json('gpus')).toMatchObject({ count: 2, gpus: [{ pools: ['pool-0'] }, { pools: ['broken', 'pool-1'] }] });

    const events = startCommand(['--url', daemon.url, 'events', '-f', '--json']);
    t.onTestFinished(() => events.stop());
    await asking('the past to be told', () => events.stdout().includes('"to":"ready.healthy"'));
    const started = await run('start', 'pool-1', '--wait');
    expect(started).toMatchObject({ exitCode: 0 });
    expect(started.stdout).toContain(`pool-1 is ready at ${house.run('pool-1')?.endpoint}`);
    expect((await run('logs', 'pool-1')).stdout).toContain('this is NOT llama.cpp');
    const logs = startCommand(['--url', daemon.url, 'logs', 'pool-1', '-f', '--tail', '1']);
    t.onTestFinished(() => logs.stop());
    await asking('the last line to be told', () => logs.stdout() !== '');
    expect(await run('drain', 'pool-1', '--deadline', '2s', '--wait')).toMatchObject({ exitCode: 0, stdout: 'pool-1 is stopped\n' });
    expect((await run('logs', 'pool-1', '--previous')).exitCode).toBe(1);
    const told = () =>
      events
        .stdout()
        .split('\n')
        .filter((line) => line.includes('"pool_id":"pool-1"'))
        .map((line) => JSON.parse(line).to);
    await asking('the end to be told', () => told().includes('offline.stopped'));
    expect(
      told()
        .filter((to) => /^(provisioning|starting\.spawning|ready|draining\.stopping)/.test(to))
        .map((to) => to.split('.')[0]),
    ).toEqual(['provisioning', 'provisioning', 'starting', 'ready', 'draining']);
    await asking('the log to be followed to its end', () => logs.stdout().includes('cleaning up before exit'));

    const refused = await run('start', 'broken', '--wait');
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain('model_missing');
    expect(await run('resume', 'pool-1')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('offline.stopped') });
    expect(await run('status', 'nobody')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('nobody') });
    events.stop();
    logs.stop();
    expect(await events.done).toMatchObject({ exitCode: 0 });
    expect(await logs.done).toMatchObject({ exitCode: 0 });
    await daemon.end('SIGKILL');
    expect(await run('status')).toMatchObject({ exitCode: 69, stderr: expect.stringContaining(daemon.url) });
  });
});
