/** Where cards are in the machine, as the kernel says of their PCI devices. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cpusOfAll, placesIn, withPlaces } from '../../src/gpu/place.ts';
import { card, inventoryOf } from '../kit/gpu-facts.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'place-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const device = async (address: string, cpus: string, node: string): Promise<void> => {
  await mkdir(join(root, address));
  await writeFile(join(root, address, 'local_cpulist'), `${cpus}\n`);
  await writeFile(join(root, address, 'numa_node'), `${node}\n`);
};

describe('a card', () => {
  it('has the CPUs and the memory that the kernel names', async () => {
    await device('0000:3b:00.0', '0-15,32-47', '1');
    expect(placesIn(root)('00000000:3B:00.0')).toEqual({ cpus: '0-15,32-47', numaNode: 1 });
  });

  it('has no memory of its own where there is but one, and is nowhere known where the kernel does not say', async () => {
    await device('0000:3b:00.0', '0-3', '-1');
    await device('0000:5e:00.0', '', '0');
    const placeOf = placesIn(root);
    expect(placeOf('00000000:3B:00.0')).toEqual({ cpus: '0-3', numaNode: null });
    expect(placeOf('00000000:5E:00.0')).toBeNull();
    expect(placeOf('00000000:AF:00.0')).toBeNull();
  });

  it('stays where it is once it is known, also when its device is gone', async () => {
    await device('0001:3b:00.0', '4', '0');
    const placeOf = placesIn(root);
    expect(placeOf('00000001:3B:00.0')).not.toBeNull();
    await rm(join(root, '0001:3b:00.0'), { recursive: true });
    expect(placeOf('00000001:3B:00.0')).toEqual({ cpus: '4', numaNode: 0 });
  });

  it('is told with its place where that is known', async () => {
    await device('0000:3b:00.0', '0-3', '0');
    const { gpus } = withPlaces(inventoryOf(card(0, { pciAddress: '00000000:3B:00.0' }), card(1)), placesIn(root));
    expect(gpus.map(({ place }) => place)).toEqual([{ cpus: '0-3', numaNode: 0 }, null]);
  });
});

describe('the CPUs of several cards', () => {
  it.each([
    [
      ['0-2,8', '2-3'],
      [0, 1, 2, 3, 8],
    ],
    [['5'], [5]],
    [[], null],
    [['0-2', null], null],
    [['3-1'], null],
    [['0-99999'], null],
    [['x'], null],
  ] as const)('%j are %j', (lists, cpus) => {
    expect(cpusOfAll(lists.map((list) => (list === null ? null : { cpus: list, numaNode: null })))).toEqual(cpus);
  });
});
