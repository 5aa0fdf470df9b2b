import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchDevices } from '../../src/machines/policies/match-devices.ts';
import { card, gib, inventoryOf } from '../kit/gpu-facts.ts';

const slice = (uuid: string, gpuInstanceId: number) => ({
  uuid,
  profile: '1g.18gb',
  gpuInstanceId,
  computeInstanceId: 0,
  memoryTotalBytes: 16 * gib,
  memoryUsedBytes: 0,
  memoryFreeBytes: 16 * gib,
});
const machine = inventoryOf(card(0), card(1), card(2, { mig: [slice('MIG-a', 1), slice('MIG-b', 2)] }));

describe('devices of a pool', () => {
  it('are indices or UUIDs, kept in the order declared', () => {
    expect(matchDevices(['GPU-1', 0], machine)).toEqual({
      matched: true,
      gpus: [
        { index: 1, uuid: 'GPU-1' },
        { index: 0, uuid: 'GPU-0' },
      ],
    });
  });

  it('are found by UUID in any case of letters, also MIG slices, which have the index of their card', () => {
    expect(matchDevices(['gpu-1', 'mig-B'], machine)).toEqual({
      matched: true,
      gpus: [
        { index: 1, uuid: 'GPU-1' },
        { index: 2, uuid: 'MIG-b' },
      ],
    });
  });

  it('that are not there are named, with what is there and what to do', () => {
    expect(matchDevices([0, 7, 'GPU-x'], machine)).toMatchObject({
      matched: false,
      cause: {
        code: 'gpu_missing',
        message: expect.stringMatching(/GPU 7 \(absent\), GPU GPU-x \(absent\); found 0 GPU-0 NVIDIA Test, .*pools file/),
        details: { missing: [7, 'GPU-x'] },
      },
    });
    expect(matchDevices([0], inventoryOf())).toMatchObject({ matched: false, cause: { message: expect.stringContaining('found no GPU at all') } });
  });

  it.each([[2], ['GPU-2']])('cannot be the whole of a card in MIG mode (%s)', (device) => {
    expect(matchDevices([device], machine)).toMatchObject({
      matched: false,
      cause: { code: 'gpu_missing', message: expect.stringMatching(/in MIG mode.*MIG-a.*slices/) },
    });
  });

  it('are each named once, whatever name is used', () => {
    expect(matchDevices([0, 'GPU-0'], machine)).toMatchObject({
      matched: false,
      cause: { code: 'invalid_spec', message: expect.stringContaining('GPU-0') },
    });
    expect(matchDevices([], machine)).toMatchObject({ matched: false, cause: { code: 'invalid_spec' } });
  });

  it('never spill: a match is exactly the cards named, for any devices on any machine', () => {
    const device = fc.oneof(
      fc.nat(5),
      fc.nat(5).map((index) => `GPU-${index}`),
    );
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(5), { maxLength: 5 }), fc.array(device, { maxLength: 5 }), (indices, devices) => {
        const match = matchDevices(devices, inventoryOf(...indices.map((index) => card(index))));
        const named = devices.map((one) => (typeof one === 'number' ? `GPU-${one}` : one));
        const fits =
          named.length > 0 && new Set(named).size === named.length && named.every((uuid) => indices.some((index) => uuid === `GPU-${index}`));
        expect(match.matched).toBe(fits);
        if (match.matched) expect(match.gpus.map(({ uuid }) => uuid)).toEqual(named);
      }),
    );
  });
});
