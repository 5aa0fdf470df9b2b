/** Where engines cannot be units they are processes of the daemon's own, and its `KillMode=` decides over their lives. */
import { afterEach, describe, expect, it } from 'vitest';
import { type House, openHouse, whyNoHouse } from '../../kit/nspawn/house.ts';
import { until } from '../../kit/until.ts';

const whyNot = whyNoHouse();

const dropIn = (killMode: string): string => `[Service]\nEnvironment=POOL_MANAGERD_LAUNCHER=detached\nKillMode=${killMode}\n`;

describe.skipIf(whyNot !== null)('with engines in the unit of the daemon', () => {
  let house: House | undefined;
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail')
      console.log((await house?.run(['journalctl', '--no-pager', '-o', 'cat', '-n', '40', '-u', 'pool-managerd']))?.stdout);
    await house?.destroy();
  });

  it('KillMode=process lets them outlive it, any other is called an error, and either is said (row 5)', async () => {
    house = await openHouse();
    const { ok, run, write, ready } = house;
    const configure = async (killMode: string): Promise<void> => {
      await write('/etc/systemd/system/pool-managerd.service.d/engines.conf', dropIn(killMode));
      await ok(['systemctl', 'daemon-reload']);
      await ok(['systemctl', 'restart', 'pool-managerd']);
      await ready();
    };
    const enginePid = async (): Promise<number> => {
      const record: { readonly launcher: string; readonly pid: number } = JSON.parse(await ok(['cat', '/var/lib/pool-managerd/runs/chat.json']));
      return record.launcher === 'detached' ? record.pid : 0;
    };
    const order = (what: string) => ok(['curl', '--fail', '--silent', '-X', 'POST', `http://127.0.0.1:9200/v2/pools/chat/${what}`]);
    const says = async (text: string): Promise<boolean> => (await ok(['journalctl', '-o', 'cat', '-u', 'pool-managerd'])).includes(text);

    await configure('process');
    await order('drain');
    await until('the engine of the unit to be gone', async () => (await house?.show('llama-engine@chat', 'ActiveState')) !== 'active', 30_000);
    await order('preload');
    const pid = await until('the engine to be a process of the daemon', async () => (await enginePid().catch(() => 0)) || null, 30_000);
    await ready();
    await until('the warning', () => says('engines are processes of pool-managerd.service: with KillMode=process they outlive the daemon'));

    await ok(['systemctl', 'restart', 'pool-managerd']);
    await ready();
    const daemon = await house.daemonPid();
    await ok(['kill', '-KILL', String(daemon)]);
    await house.readySince(daemon);
    await ready();
    expect(await enginePid()).toBe(pid);
    expect((await run(['kill', '-0', String(pid)])).code).toBe(0);

    await configure('control-group');
    await until('the error', () => says('its KillMode=control-group ends them whenever the daemon ends'));
    await ok(['systemctl', 'restart', 'pool-managerd']);
    expect((await run(['kill', '-0', String(pid)])).code).not.toBe(0);
  });
});
