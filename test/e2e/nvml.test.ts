/** The daemon on NVML: a library that is a stand-in, found by the loader, in a process of its own. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { daemonHouse, patient } from '../kit/daemon.ts';
import { uuidOf } from '../kit/nvidia-smi.ts';
import { compiler, standInNvml } from '../kit/nvml/stand-in.ts';
import { scriptedDriver } from '../kit/scripted-driver.ts';
import { until } from '../kit/until.ts';

const placed = { env: { STUB_SAYS_PLACED: '1' } };
const two = { cards: [{}, {}] };

describe.skipIf(compiler === null)('a daemon on NVML (needs a C compiler)', patient, () => {
  it('takes it by itself, and hears of a lost card from it where the kernel is silent (row 33)', async (t) => {
    const [driver, library] = [await scriptedDriver(t, two), await standInNvml(t, two)];
    const house = await daemonHouse(t, {
      ...driver.env,
      ...library.env,
      POOL_MANAGERD_GPU_SOURCE: 'auto',
      POOL_MANAGERD_KERNEL_LOG: join(driver.smi.dir, 'gone'),
    });
    await house.declare([house.stub('pool-0', placed), house.stub('pool-1', { ...placed, devices: [1] })]);
    const daemon = await house.start();
    await daemon.ready('pool-0', 'pool-1');
    await until('NVML to be taken', () => daemon.log().some(({ msg }) => msg.includes('through NVML from now on')));
    await until('facts to come from it', async () => (await daemon.node())['gpu_source'] === 'nvml');
    const spared = house.run('pool-0');

    await library.tell({ card: 1, data: 79 });
    const begun = performance.now();
    const lost = await daemon.sees('pool-1', 'not to be ready', ({ ready }) => !ready);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(lost).toMatchObject({ reason: { code: 'gpu_lost' } });
    await until('the Xid to be noted', async () => (await daemon.gpus())[1]?.xids === 1);
    await daemon.ready('pool-1');
    expect(house.run('pool-0')).toEqual(spared);
    expect(await library.misuses()).toEqual([]);
  });

  it('shows facts as stale while the driver hangs, answers meanwhile, and leaves no process behind (row 28)', async (t) => {
    const [driver, library] = [await scriptedDriver(t, two), await standInNvml(t, two)];
    const house = await daemonHouse(t, { ...driver.env, ...library.env, POOL_MANAGERD_GPU_SOURCE: 'nvml' });
    await house.declare([house.stub('pool-0', placed)]);
    const daemon = await house.start();
    await daemon.ready('pool-0');
    expect(await daemon.gpus()).toMatchObject([{ uuid: uuidOf(0) }, { uuid: uuidOf(1) }]);
    await library.play({ ...two, hangIn: ['nvmlDeviceGetUUID'] });
    await until('facts to be stale', async () => (await daemon.gpus()).every(({ stale }) => stale), 10_000);
    expect(await daemon.ask('GET', '/v2/pools/pool-0/status')).toMatchObject({ body: { ready: true } });
    await library.play(two);
    await until('facts to be fresh', async () => (await daemon.gpus()).every(({ stale }) => !stale), 20_000);
    expect(await driver.smi.runs()).toEqual([]);
    await daemon.end();
  });
});
