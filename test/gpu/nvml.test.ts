/** Facts and Xids through NVML: a real process that asks a real library by node:ffi; only the driver behind it is a stand-in. */
import { describe, expect, it, type TestContext } from 'vitest';
import { isCause } from '../../src/cause.ts';
import { nvml } from '../../src/gpu/nvml/nvml.ts';
import { nvmlSession } from '../../src/gpu/nvml/session.ts';
import { failureOf } from '../../src/gpu/nvml/to-inventory.ts';
import { nvmlCodes } from '../../src/gpu/nvml-codes.ts';
import type { DriverXid } from '../../src/gpu/source.ts';
import type { Cause, Inventory } from '../../src/machines/vocabulary.ts';
import { gib, mib } from '../kit/gpu-facts.ts';
import { uuidOf } from '../kit/nvidia-smi.ts';
import type { NvmlScenario } from '../kit/nvml/script.ts';
import { compiler, standInNvml } from '../kit/nvml/stand-in.ts';
import { until } from '../kit/until.ts';

const withinMs = 10_000;

const opened = async (t: TestContext, scenario: NvmlScenario, age: 'current' | 'old' = 'current') => {
  const library = await standInNvml(t, scenario, age);
  const source = nvml({ env: { ...process.env, ...library.env } });
  t.onTestFinished(() => source.close());
  return { library, source, read: async () => cards(await source.read(withinMs)) };
};
const cards = (read: Inventory | Cause): Inventory => {
  if (isCause(read)) throw new Error(read.message);
  return read;
};
const card = { totalMiB: 24576, usedMiB: 2194, processes: [{ pid: 77, usedMiB: 2194 }] };

describe.skipIf(compiler === null)('NVML (needs a C compiler)', () => {
  it('tells cards, memory, processes and versions, as nvidia-smi does', async (t) => {
    const { library, read, source } = await opened(t, { cards: [card, { name: 'NVIDIA Other' }] });
    const inventory = await read();
    expect(inventory).toMatchObject({ source: 'nvml', driverVersion: '590.48.01', cudaVersion: '13.1', remarks: [] });
    expect(inventory.gpus.map(({ uuid }) => uuid)).toEqual([uuidOf(0), uuidOf(1)]);
    expect(inventory.gpus[0]).toEqual({
      index: 0,
      uuid: uuidOf(0),
      pciAddress: '00000000:00:00.0',
      name: 'NVIDIA Fake',
      memoryTotalBytes: 24 * gib,
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

    // What changes slowly is asked for when it is wanted, and kept.
    const numbers = {
      0: { persistence: 1, power_limit: 350_000, clock_graphics: 1410, ecc: 1, ecc_uncorrected: 2, rows_corrected: 0, rows_failed: 1 },
    };
    await library.play({ cards: [card], numbers });
    source.wantDeep?.();
    const deep = (await read()).gpus[0]?.deep;
    expect(deep).toMatchObject({ persistenceMode: true, powerLimitWatts: 350, graphicsClockMhz: 1410, memoryClockMhz: null });
    expect(deep).toMatchObject({ ecc: { enabled: true, corrected: null, uncorrected: 2 }, remappedRows: { corrected: 0, failed: true } });
    expect((await read()).gpus[0]?.deep).toEqual(deep);

    // Memory of an engine that is gone comes back late; another takes the index of a card that went.
    await library.play({ cards: [{ ...card, processes: [], usedMiB: 2000 }] });
    expect((await read()).gpus[0]).toMatchObject({ memoryUsedBytes: 2000 * mib, processes: [] });
    await library.play({ cards: [{ uuid: uuidOf(1) }, { uuid: uuidOf(0) }] });
    expect((await read()).gpus.map(({ index, uuid }) => [index, uuid])).toEqual([
      [0, uuidOf(1)],
      [1, uuidOf(0)],
    ]);

    const slice = { uuid: 'MIG-aaaa-bbbb', profile: '1g.18gb', gi: 7, ci: 0, totalMiB: 16384 };
    const graphics = [{ pid: 5, usedMiB: 100 }];
    await library.play({ cards: [{ mig: [slice], graphics, processes: [{ pid: 6, usedMiB: '[N/A]' }] }] });
    const [inSlices] = (await read()).gpus;
    expect(inSlices?.mig).toEqual([
      {
        uuid: 'MIG-aaaa-bbbb',
        profile: '1g.18gb',
        gpuInstanceId: 7,
        computeInstanceId: 0,
        memoryTotalBytes: 16 * gib,
        memoryUsedBytes: 0,
        memoryFreeBytes: 16 * gib,
      },
    ]);
    expect(inSlices?.processes).toEqual([
      { pid: 6, usedBytes: null },
      { pid: 5, usedBytes: 100 * mib },
    ]);
    expect(await library.misuses()).toEqual([]);
  });

  it('tells what it can of a driver that lacks the newer functions', async (t) => {
    const { read, library } = await opened(t, { cards: [card] }, 'old');
    // There what the driver keeps for itself counts as used.
    expect((await read()).gpus[0]).toMatchObject({ memoryTotalBytes: 24 * gib, memoryUsedBytes: (2194 + 300) * mib });
    expect(await library.misuses()).toEqual([]);
  });

  it('passes on each result code, and says what it means, never that it is unknown (row 31)', async (t) => {
    const library = await standInNvml(t, { cards: [card] });
    const session = nvmlSession({ env: { ...process.env, ...library.env } });
    t.onTestFinished(() => session.close());
    // 1, that it is not begun, is got over by beginning again.
    for (const { code, reason, says, name } of nvmlCodes.filter((row) => row.code > 1)) {
      await library.play({ cards: [card], fail: [{ call: 'nvmlDeviceGetCount_v2', code }] });
      const answer = await session.ask(false, withinMs);
      expect(answer).toEqual({ end: 'failed', call: 'nvmlDeviceGetCount_v2', code });
      expect(failureOf('nvmlDeviceGetCount_v2', code)).toMatchObject({
        code: reason,
        message: expect.stringContaining(`${code} (${name}): ${says}`),
      });
    }
    await library.play({ cards: [card] });
    expect(await session.ask(false, withinMs)).toMatchObject({ end: 'facts' });
  });

  it('lists a card that is lost, or wants a reset, with that, and holds the driver open no longer', async (t) => {
    const two = [{ uuid: uuidOf(0) }, { uuid: uuidOf(1) }];
    const { read, library } = await opened(t, { cards: two });
    await read();
    await library.play({ cards: two, fail: [{ call: 'nvmlDeviceGetMemoryInfo_v2', code: 15, card: 1 }] });
    expect((await read()).gpus.map(({ reads }) => reads)).toEqual([undefined, 'lost']);
    // One that does not even tell which it is, is the one that had its index.
    for (const [code, reads] of [
      [15, 'lost'],
      [16, 'reset'],
      [999, 'unknown'],
    ] as const) {
      await library.play({ cards: two, fail: [{ call: 'nvmlDeviceGetHandleByIndex_v2', code, card: 1 }] });
      expect((await read()).gpus[1]).toMatchObject({ uuid: uuidOf(1), reads, memoryUsedBytes: null });
    }
    await library.play({ cards: two, fail: [{ call: 'nvmlDeviceGetHandleByIndex_v2', code: 28, card: 1 }] });
    expect(await read()).toMatchObject({ gpus: [{ uuid: uuidOf(0) }], remarks: [expect.stringContaining('00000000:01:00.0')] });
    await library.play({ cards: [{ cells: { gpu_recovery_action: 'Drain and Reset' } }] });
    expect((await read()).gpus[0]).toMatchObject({ recoveryAction: 'Drain and Reset' });
  });

  it('tells Xids as the driver tells them, with card and slice', async (t) => {
    const { read, source, library } = await opened(t, { cards: [{}, {}] });
    const heard: DriverXid[] = [];
    t.onTestFinished(source.listen((xid) => heard.push(xid)));
    await read();
    await library.tell({ card: 1, data: 79 }, { card: 0, data: 4, type: 4 }, { card: 0, data: 94, gpuInstanceId: 7 });
    await until('two Xids', () => heard.length === 2);
    expect(heard).toEqual([
      { code: 79, pciAddress: '00000000:01:00.0', gpuInstanceId: null },
      { code: 94, pciAddress: '00000000:00:00.0', gpuInstanceId: 7 },
    ]);
    expect(await library.misuses()).toEqual([]);
  });

  it('costs one process when the driver hangs, by its deadline, and answers again when it is gone (row 28)', async (t) => {
    const { read, source, library } = await opened(t, { cards: [card] });
    await read();
    await library.play({ cards: [card], hangIn: ['nvmlDeviceGetTemperature'] });
    const begun = performance.now();
    const hung = await source.read(300);
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(hung).toMatchObject({
      code: 'driver_error',
      message: expect.stringMatching(/within 300 ms .* hangs/),
      details: { pid: expect.any(Number) },
    });
    await library.play({ cards: [card] });
    await until('the driver to answer again', async () => !isCause(await source.read(withinMs)));
  });

  it('is given up only when its process breaks again and again', async (t) => {
    const { source, library } = await opened(t, { cards: [card], crashIn: ['nvmlInit_v2'] });
    expect(await source.read(withinMs)).toMatchObject({ code: 'driver_error', message: expect.stringContaining('SIGABRT') });
    expect(source.lacks()).toBeNull();
    await source.read(withinMs);
    await source.read(withinMs);
    expect(source.lacks()).toMatch(/broke 3 times/);
    await library.play({ cards: [card] });
    expect(isCause(await source.read(withinMs))).toBe(false);
    expect(source.lacks()).toBeNull();
  });
});

describe('a machine without the library', () => {
  it('is told so, with what to do', async (t) => {
    const source = nvml({ env: { ...process.env, LD_LIBRARY_PATH: '/nowhere' } });
    t.onTestFinished(() => source.close());
    const read = await source.read(withinMs);
    t.skip(!isCause(read), 'this machine has an NVIDIA driver');
    expect(read).toMatchObject({ code: 'driver_error', message: expect.stringMatching(/libnvidia-ml\.so\.1 .*POOL_MANAGERD_GPU_SOURCE=nvidia-smi/) });
    expect(source.lacks()).toContain('cannot open shared object file');
  });
});

it('a process that talks nonsense is ended, and said to', async (t) => {
  const source = nvml({ command: { file: '/bin/sh', argv: ['-c', 'echo hello; read line; sleep 100'] } });
  t.onTestFinished(() => source.close());
  expect(await source.read(withinMs)).toMatchObject({ code: 'driver_error', message: expect.stringContaining('it said "hello"') });
});
