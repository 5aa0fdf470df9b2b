import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseSource } from '../../src/gpu/choose-source.ts';
import { estimateNeedBytes } from '../../src/gpu/estimate/estimate.ts';
import { overheadBytesPerGpu } from '../../src/gpu/estimate/overhead.ts';
import { refuseWithoutGpu } from '../../src/gpu/no-gpu.ts';
import { findNvidiaDisplays } from '../../src/gpu/pci.ts';
import { gib, gpuSpec } from '../kit/gpu-facts.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pci-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const device = async (address: string, vendor: string, kind: string): Promise<void> => {
  await mkdir(join(root, address));
  await writeFile(join(root, address, 'vendor'), `${vendor}\n`);
  await writeFile(join(root, address, 'class'), `${kind}\n`);
};

describe('the PCI bus', () => {
  it('is searched for display devices of NVIDIA, and for nothing else of theirs', async () => {
    await device('0000:00:02.0', '0x8086', '0x030000');
    await device('0000:01:00.0', '0x10de', '0x030000');
    await device('0000:01:00.1', '0x10de', '0x040300');
    await device('0000:3b:00.0', '0x10de', '0x030200');
    await mkdir(join(root, '0000:ff:00.0'));
    expect(await findNvidiaDisplays(root, join(root, 'dxg'))).toEqual({
      root,
      nvidiaDisplays: ['0000:01:00.0', '0000:3b:00.0'],
      devices: 5,
      wslDevice: null,
    });
  });

  it('that cannot be read is told apart from an empty one', async () => {
    expect(await findNvidiaDisplays(join(root, 'absent'), join(root, 'dxg'))).toMatchObject({ nvidiaDisplays: [], devices: null });
    expect(await findNvidiaDisplays(root, join(root, 'dxg'))).toMatchObject({ nvidiaDisplays: [], devices: 0 });
  });
});

describe('a machine without a GPU', () => {
  const none = { root: '/sys/bus/pci/devices', nvidiaDisplays: [], devices: 31, wslDevice: null };

  it('is refused with what was looked for, where, what was found, and the demo', () => {
    const message = refuseWithoutGpu(none, 0);
    for (const words of ['0x10de', '/sys/bus/pci/devices', '31 devices', 'pool-managerd demo', 'npm run demo', 'no engine'])
      expect(message).toContain(words);
    expect(message).not.toContain('WSL');
  });

  it('is told that WSL was seen', () => {
    expect(refuseWithoutGpu({ ...none, wslDevice: '/dev/dxg' }, 0)).toContain('/dev/dxg');
  });

  it('is not refused while an engine of ours is alive there', () => {
    expect(refuseWithoutGpu(none, 1)).toBeNull();
  });

  it('is not one with a card whose driver is missing', () => {
    expect(refuseWithoutGpu({ ...none, nvidiaDisplays: ['0000:01:00.0'] }, 0)).toBeNull();
  });
});

describe('POOL_MANAGERD_GPU_SOURCE', () => {
  const deps = { runs: async () => [], isAlive: () => false };

  it.each([
    [{ kind: 'auto' }, 'nvidia-smi'],
    [{ kind: 'nvidia-smi' }, 'nvidia-smi'],
    [{ kind: 'nvml' }, 'nvml'],
    [{ kind: 'simulated', cards: [{ name: 'x', memoryBytes: gib, computeCapability: '8.6' }] }, 'simulated'],
  ] as const)('%o is %s', (setting, name) => {
    expect(chooseSource(setting, deps)).toMatchObject({ ok: true, source: { name } });
  });

  it('auto is nvidia-smi until it has somebody to tell that it is another', () => {
    const chosen = chooseSource({ kind: 'auto' }, { ...deps, onNote: () => {} });
    expect(chosen).toMatchObject({ ok: true, source: { name: 'nvidia-smi', listen: expect.any(Function) } });
  });

  it('simulated without a card is refused', () => {
    expect(chooseSource({ kind: 'simulated', cards: [] }, deps)).toMatchObject({ ok: false });
  });
});

describe('the estimate', () => {
  it('is the weights and an overhead on each card', () => {
    expect(estimateNeedBytes(gpuSpec({ devices: [0, 1] }), { id: 'm', path: '/m', bytes: 4 * gib })).toBe(4 * gib + 2 * overheadBytesPerGpu);
  });
  it('is unknown for a model of unknown size', () => {
    expect(estimateNeedBytes(gpuSpec(), { id: 'm', path: null, bytes: null })).toBeNull();
  });
});
