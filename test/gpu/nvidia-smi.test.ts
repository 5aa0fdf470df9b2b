import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isCause } from '../../src/cause.ts';
import { nvidiaSmi } from '../../src/gpu/nvidia-smi.ts';
import type { GpuSource } from '../../src/gpu/source.ts';
import type { Cause, Inventory } from '../../src/machines/vocabulary.ts';
import { mib } from '../kit/gpu-facts.ts';
import { type FakeNvidiaSmi, fakeNvidiaSmi, uuidOf } from '../kit/nvidia-smi.ts';
import { until } from '../kit/until.ts';

let fake: FakeNvidiaSmi;
let source: GpuSource;

beforeEach(async () => {
  fake = await fakeNvidiaSmi({ cards: [{}] });
  source = nvidiaSmi({ env: fake.env });
});
afterEach(async () => {
  source.close();
  for (const { pid } of await fake.runs()) kill(pid);
  await fake.remove();
});

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
};
const cards = (read: Inventory | Cause): Inventory => {
  if (isCause(read)) throw new Error(read.message);
  return read;
};
const cause = (read: Inventory | Cause): Cause => {
  if (!isCause(read)) throw new Error(`expected a Cause, found ${JSON.stringify(read)}`);
  return read;
};

describe('a healthy driver', () => {
  it('tells cards, memory, processes and versions', async () => {
    await fake.play({ cards: [{ totalMiB: 24576, usedMiB: 2194, processes: [{ pid: 77, usedMiB: 2194 }] }, { name: 'NVIDIA Other' }] });
    const inventory = cards(await source.read(5_000));
    expect(inventory).toMatchObject({ source: 'nvidia-smi', driverVersion: '590.48.01', cudaVersion: '13.1', remarks: [] });
    expect(inventory.gpus.map((gpu) => gpu.uuid)).toEqual([uuidOf(0), uuidOf(1)]);
    expect(inventory.gpus[0]).toEqual({
      index: 0,
      uuid: uuidOf(0),
      pciAddress: '00000000:00:00.0',
      name: 'NVIDIA Fake',
      memoryTotalBytes: 24576 * mib,
      memoryUsedBytes: 2194 * mib,
      memoryFreeBytes: (24576 - 2194 - 300) * mib,
      computeCapability: '8.9',
      temperatureC: 41,
      powerWatts: 78.28,
      utilisationPercent: 7,
      recoveryAction: 'None',
      processes: [{ pid: 77, usedBytes: 2194 * mib }],
      mig: null,
      deep: null,
    });
  });

  it('is asked for the CUDA version once', async () => {
    await source.read(5_000);
    await source.read(5_000);
    expect((await fake.runs()).filter(({ argv }) => argv === '')).toHaveLength(1);
  });

  it('never runs two children at once: reads asked for together share the one after', async () => {
    const reads = await Promise.all([source.read(8_000), source.read(8_000), source.read(8_000)]);
    expect(reads.every((read) => !isCause(read))).toBe(true);
    expect((await fake.runs()).filter(({ argv }) => argv.includes('--query-gpu'))).toHaveLength(2);
    const [first, second, third] = reads.map((read) => cards(read).mono);
    expect(second).toBe(third);
    expect(first).toBeLessThan(second ?? 0);
  });

  it('leaves what a card does not tell unknown', async () => {
    await fake.play({
      cards: [
        { cells: { 'power.draw': '[N/A]', 'utilization.gpu': '[Not Supported]', 'temperature.gpu': '[Unknown Error]', 'memory.used': 'ERR!' } },
      ],
    });
    expect(cards(await source.read(5_000)).gpus[0]).toMatchObject({
      powerWatts: null,
      utilisationPercent: null,
      temperatureC: null,
      memoryUsedBytes: null,
      memoryTotalBytes: 24576 * mib,
    });
  });

  it('lists graphics processes where compute processes do not explain the memory in use', async () => {
    await fake.play({ cards: [{ usedMiB: 1700, processes: [{ pid: 77, usedMiB: 1000 }], graphics: [{ pid: 12, usedMiB: 690 }] }] });
    expect(cards(await source.read(5_000)).gpus[0]?.processes).toEqual([
      { pid: 77, usedBytes: 1000 * mib, gpuInstanceId: null },
      { pid: 12, usedBytes: 690 * mib },
    ]);
  });

  it('lists the slices of a card in MIG mode with UUID and memory', async () => {
    await fake.play({
      cards: [
        {
          mig: [
            { uuid: 'MIG-1', profile: '1g.18gb', gi: 9, ci: 0, totalMiB: 16384 },
            { uuid: 'MIG-2', profile: '2g.35gb', gi: 3, ci: 0, totalMiB: 33280 },
          ],
        },
        {},
      ],
    });
    const { gpus } = cards(await source.read(5_000));
    expect(gpus[1]?.mig).toBeNull();
    expect(gpus[0]?.mig).toEqual([
      {
        uuid: 'MIG-1',
        profile: '1g.18gb',
        gpuInstanceId: 9,
        computeInstanceId: 0,
        memoryTotalBytes: 16384 * mib,
        memoryUsedBytes: 0,
        memoryFreeBytes: 16384 * mib,
      },
      {
        uuid: 'MIG-2',
        profile: '2g.35gb',
        gpuInstanceId: 3,
        computeInstanceId: 0,
        memoryTotalBytes: 33280 * mib,
        memoryUsedBytes: 0,
        memoryFreeBytes: 33280 * mib,
      },
    ]);
  });
});

describe('an older driver', () => {
  it('is asked again without the fields it does not know, and not for them the next time', async () => {
    await fake.play({ cards: [{}], unknownFields: ['compute_cap', 'gpu_recovery_action'] });
    expect(cards(await source.read(5_000)).gpus[0]).toMatchObject({ computeCapability: null, recoveryAction: null, memoryTotalBytes: 24576 * mib });
    await source.read(5_000);
    expect((await fake.runs()).filter(({ argv }) => argv.includes('--query-gpu'))).toHaveLength(4);
  });

  it('without a UUID is no driver to work with', async () => {
    await fake.play({ cards: [{}], unknownFields: ['uuid'] });
    expect(cause(await source.read(5_000))).toMatchObject({ code: 'driver_error', message: expect.stringContaining('Field "uuid"') });
  });
});

describe('a sick driver', () => {
  it.each([
    [
      { message: 'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 590.44', exitCode: 18 },
      'driver_mismatch',
      'reboot',
    ],
    [
      { message: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure", exitCode: 9 },
      'driver_error',
      'modprobe nvidia',
    ],
    [{ message: 'No devices were found', exitCode: 6 }, 'gpu_missing', 'dmesg'],
    [{ message: 'No devices were found', exitCode: 0 }, 'gpu_missing', 'dmesg'],
    [
      { message: 'Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system to recover this GPU', exitCode: 15 },
      'gpu_lost',
      'fallen off',
    ],
    [{ message: 'Unable to determine the device handle for GPU0000:17:00.0: Unknown Error', exitCode: 255 }, 'gpu_unhealthy', 'cannot open a card'],
    [{ message: 'Failed to initialize NVML: GPU requires reset', exitCode: 255 }, 'gpu_reset_required', '--gpu-reset'],
    [{ message: 'Failed to initialize NVML: Insufficient Permissions', exitCode: 4 }, 'driver_error', 'DeviceAllow'],
    [{ message: "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.", exitCode: 12 }, 'driver_error', 'driver libraries'],
    [{ message: 'Failed to initialize NVML: Unknown Error', exitCode: 255 }, 'driver_error', 'exit status 255'],
  ])('that says %o is %s', async (said, code, words) => {
    await fake.play({ cards: [], silent: true, ...said });
    expect(cause(await source.read(5_000))).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('keeps the sound cards when another one is lost, and says so', async () => {
    const lost = 'Unable to determine the device handle for GPU1: 0000:02:00.0: Unknown Error';
    await fake.play({ cards: [{}], message: lost, exitCode: 255 });
    expect(cards(await source.read(5_000))).toMatchObject({ gpus: [{ uuid: uuidOf(0) }], remarks: [lost] });
  });

  it('takes a corrupted InfoROM for the warning it is', async () => {
    await fake.play({ cards: [{}], message: 'WARNING: infoROM is corrupted at gpu 0000:01:00.0', exitCode: 14 });
    expect(cards(await source.read(5_000))).toMatchObject({ gpus: [{ uuid: uuidOf(0) }], remarks: [expect.stringContaining('infoROM')] });
  });

  it('that prints what nobody understands is not taken for one with fewer cards', async () => {
    await fake.play({ cards: [{}], message: '0, half a row' });
    expect(cause(await source.read(5_000))).toMatchObject({ code: 'driver_error', message: expect.stringContaining('half a row') });
  });

  it('cannot flood the daemon', async () => {
    source = nvidiaSmi({ env: fake.env, maxOutputBytes: 10_000 });
    await fake.play({ cards: [{}], outputBytes: 1_000_000 });
    expect(cause(await source.read(5_000))).toMatchObject({ code: 'driver_error', message: expect.stringContaining('more than 10000 bytes') });
  });

  it('that is not installed is told by the PATH that was searched', async () => {
    const nowhere = nvidiaSmi({ env: { PATH: '/nonexistent' } });
    expect(cause(await nowhere.read(5_000))).toMatchObject({ code: 'driver_error', message: expect.stringMatching(/\/nonexistent.*install/) });
  });
});

describe('a driver that hangs', () => {
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  it.each(['ignore_term', 'stop'] as const)('does not hold a read beyond its deadline, and is read again once it is killed (%s)', async (hang) => {
    await fake.play({ cards: [{}], hang });
    const begun = performance.now();
    expect(cause(await source.read(600))).toMatchObject({ code: 'driver_error', message: expect.stringContaining('hangs since') });
    expect(performance.now() - begun).toBeLessThan(3_000);
    await fake.play({ cards: [{}] });
    await until('the killed child to be gone', async () => !isCause(await source.read(3_000)));
  });

  it.each(['ignore_term', 'stop'] as const)('has one stuck child at most, and reads then answer at once (%s)', async (hang) => {
    source = nvidiaSmi({ env: fake.env, killSignal: 'SIGTERM' });
    await fake.play({ cards: [{}], hang });
    await source.read(600);
    const [stuck] = await fake.runs();
    const begun = performance.now();
    for (const read of [await source.read(5_000), await source.read(5_000), ...(await Promise.all([source.read(5_000), source.read(5_000)]))]) {
      expect(cause(read)).toMatchObject({ code: 'driver_error', details: { pid: stuck?.pid, since: expect.stringMatching(/^\d{4}-.*Z$/) } });
    }
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(await fake.runs()).toHaveLength(1);
    expect(alive(stuck?.pid ?? 0)).toBe(true);

    await fake.play({ cards: [{}] });
    kill(stuck?.pid ?? 0);
    await until('reads to work again', async () => !isCause(await source.read(3_000)));
  });

  it('does not need the end of a pipe that a child of the tool keeps open', async () => {
    await fake.play({ cards: [], message: 'No devices were found', exitCode: 6, silent: true, hang: 'pipe' });
    expect(cause(await source.read(1_000))).toMatchObject({ code: 'gpu_missing' });
  });

  it('does not hold the end of the daemon: close() settles the read under way', async () => {
    await fake.play({ cards: [{}], hang: 'stop' });
    const read = source.read(60_000);
    await until('the child to run', async () => (await fake.runs()).length > 0);
    source.close();
    expect(cause(await read)).toMatchObject({ code: 'driver_error', message: expect.stringContaining('stops reading') });
  });
});
