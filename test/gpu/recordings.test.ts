import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joinFacts } from '../../src/gpu/join-facts.ts';
import { type GpuField, gpuFields, parseComputeApps, parseGpus } from '../../src/gpu/parse-csv.ts';
import { parseCudaVersion } from '../../src/gpu/parse-header.ts';
import { parseList } from '../../src/gpu/parse-list.ts';
import { parseDetail } from '../../src/gpu/parse-xml.ts';
import { mib } from '../kit/gpu-facts.ts';

const folder = process.env['NVIDIA_SMI_RECORDINGS'] ?? join(import.meta.dirname, '../../../shared/fixtures/nvidia-smi');
const here = existsSync(folder);
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

/** Output of the capture's section whose head matches. */
const section = (file: string, head: string): string => {
  const bar = '#'.repeat(80);
  const parts = read(file).split(`${bar}\n`);
  const at = parts.findIndex((part) => part.startsWith(`# ${head}`));
  if (at < 0) throw new Error(`${file} has no section ${head}`);
  return parts[at + 1] ?? '';
};

/** The recorded query asked for every field, with a header and units: the columns that we ask for, as we would get them. */
const columns = (file: string, phase: string): { readonly csv: string; readonly fields: readonly GpuField[] } => {
  const [head = '', ...rows] = section(file, `${phase} :: query-gpu (csv`).trim().split('\n');
  const names = head.split(', ').map((name) => name.replace(/ \[.*\]$/, ''));
  const fields = gpuFields.filter((field) => names.includes(field));
  const pick = (row: string): string => {
    const cells = row.split(', ');
    return fields.map((field) => cells[names.indexOf(field)]).join(', ');
  };
  return { csv: rows.map(pick).join('\n'), fields };
};

/** As `--query-compute-apps=gpu_uuid,pid,used_memory` with `noheader` would have said it. */
const apps = (file: string, phase: string): string =>
  section(file, `${phase} :: query-compute-apps`)
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.split(', '))
    .map((cells) => [cells[4], cells[5], cells[7]].join(', '))
    .join('\n');

const facts = (file: string, phase: string) => {
  const { csv, fields } = columns(file, phase);
  const cards = parseGpus(csv, fields);
  const running = parseComputeApps(apps(file, phase));
  expect([cards.strange, running.strange]).toEqual([[], []]);
  return { cards: cards.rows, gpus: joinFacts(cards.rows, running.rows, null, []) };
};

describe.skipIf(!here)('recorded nvidia-smi', () => {
  it.each([
    ['h200.txt', 'idle', 'NVIDIA H200', '00000000:83:00.0', '9.0', '590.48.01', 143771, 0, 143158, 28, 77.71, 0],
    ['h200.txt', 'load', 'NVIDIA H200', '00000000:83:00.0', '9.0', '590.48.01', 143771, 32362, 110796, 52, 627.4, 100],
    ['h200-mig.txt', 'load', 'NVIDIA H200', '00000000:83:00.0', '9.0', '590.48.01', 143771, 16959, 126199, 36, 295.01, null],
    ['l40s.txt', 'load', 'NVIDIA L40S', '00000000:01:00.0', '8.9', '595.80', 46068, 1235, 44225, 54, 110.23, 9],
  ])(
    '%s (%s) is read as the card it was',
    (file, phase, name, pciAddress, cap, driver, total, used, free, temperatureC, powerWatts, utilisationPercent) => {
      const { cards, gpus } = facts(file, phase);
      expect(cards.map((card) => card.driverVersion)).toEqual([driver]);
      expect(gpus).toEqual([
        expect.objectContaining({
          index: 0,
          uuid: 'GPU-00000000-0000-0000-0000-000000000000',
          name,
          pciAddress,
          computeCapability: cap,
          memoryTotalBytes: total * mib,
          memoryUsedBytes: used * mib,
          memoryFreeBytes: free * mib,
          temperatureC,
          powerWatts,
          utilisationPercent,
          recoveryAction: 'None',
        }),
      ]);
    },
  );

  it.each([
    [
      'h200.txt',
      [
        [10291, 2566],
        [10293, 1542],
        [10309, 28234],
      ],
    ],
    [
      'h200-mig.txt',
      [
        [12249, 2194],
        [12250, 1170],
        [12267, 13526],
      ],
    ],
    [
      'l40s.txt',
      [
        [20037, 538],
        [20038, 681],
      ],
    ],
  ])('%s: the compute processes are those that ran', (file, expected) => {
    expect(facts(file, 'idle').gpus[0]?.processes).toEqual([]);
    expect(facts(file, 'load').gpus[0]?.processes).toEqual(expected.map(([pid, used]) => ({ pid, usedBytes: (used ?? 0) * mib })));
  });

  it('MIG mode is told by the field, and the slices by -L', () => {
    expect(facts('h200-mig.txt', 'idle').cards.map((card) => card.migEnabled)).toEqual([true]);
    expect(facts('h200.txt', 'idle').cards.map((card) => card.migEnabled)).toEqual([false]);
    const slices = parseList(section('h200-mig.txt', 'capabilities :: list (-L)'));
    expect(slices.map(({ device, profile, uuid }) => [device, profile, uuid])).toEqual([
      [0, '1c.3g.71gb', 'MIG-00000000-0000-0000-0000-000000000000'],
      [1, '2c.3g.71gb', 'MIG-00000001-0000-0000-0000-000000000001'],
      [2, '2g.35gb', 'MIG-00000002-0000-0000-0000-000000000002'],
      [3, '1g.18gb', 'MIG-00000003-0000-0000-0000-000000000003'],
      [4, '1g.18gb', 'MIG-00000004-0000-0000-0000-000000000004'],
    ]);
    expect(new Set(slices.map(({ gpuUuid }) => gpuUuid))).toEqual(new Set(['GPU-00000000-0000-0000-0000-000000000000']));
    expect(parseList(section('h200.txt', 'capabilities :: list (-L)'))).toEqual([]);
  });

  it.each([
    ['h200.txt', '13.1'],
    ['h200-mig.txt', '13.1'],
    ['l40s.txt', '13.2'],
  ])('%s: the CUDA version is in the table, in -q and in --version', (file, version) => {
    expect(parseCudaVersion(section(file, 'idle :: nvidia-smi (default table)'))).toBe(version);
    expect(parseCudaVersion(section(file, 'idle :: query (-q)'))).toBe(version);
    expect(parseCudaVersion(section(file, 'capabilities :: version'))).toBe(version);
  });

  it.each([
    ['tesla-t4.xml', '515.105.01', '11.7', 'GPU-d37e67a5-91dd-3774-a5cb-99096249601a', '00000000:00:1E.0', 'Tesla T4', null, false],
    [
      'rtx-3090-v12.xml',
      '525.147.05',
      '12.0',
      'GPU-12345678-aaaa-bbbb-cccc-0123456789ab',
      '00000000:00:10.0',
      'NVIDIA GeForce RTX 3090',
      null,
      false,
    ],
    [
      'rtx-3080-v13.xml',
      '595.58.03',
      '13.2',
      'GPU-19d6d965-2acc-f646-00f8-4c76979aabb4',
      '00000000:0C:00.0',
      'NVIDIA GeForce RTX 3080',
      'None',
      false,
    ],
    ['a100-sxm4-v12.xml', '535.54.03', '12.2', 'GPU-513536b6-7d19-9063-b049-1e69664bb298', '00000000:01:00.0', 'NVIDIA A100-SXM4-80GB', null, true],
  ])('%s is read as the card it was', (file, driverVersion, cudaVersion, uuid, pciAddress, name, recoveryAction, migEnabled) => {
    expect(parseDetail(read(file))).toMatchObject({ driverVersion, cudaVersion, gpus: [{ uuid, pciAddress, name, recoveryAction, migEnabled }] });
  });

  it('a desktop card lists its graphics processes beside the compute ones', () => {
    expect(parseDetail(read('tesla-t4.xml'))).toMatchObject({
      gpus: [
        {
          processes: [
            { pid: 675, usedBytes: 22 * mib },
            { pid: 5762, usedBytes: 1005 * mib },
          ],
          slices: [],
        },
      ],
    });
  });

  it('a card in MIG mode has its own memory and that of each slice', () => {
    const detail = parseDetail(read('a100-sxm4-v12.xml'));
    expect(detail).toMatchObject({
      gpus: [
        {
          memoryTotalBytes: 81920 * mib,
          memoryUsedBytes: 50 * mib,
          memoryFreeBytes: 80999 * mib,
          slices: [
            {
              device: 0,
              gpuInstanceId: 3,
              computeInstanceId: 0,
              memoryTotalBytes: 19968 * mib,
              memoryUsedBytes: 12 * mib,
              memoryFreeBytes: 19955 * mib,
            },
            { device: 1, gpuInstanceId: 4 },
            { device: 2 },
            { device: 3 },
          ],
        },
      ],
    });
  });

  it.skipIf(!here).each([
    [
      'tesla-t4.xml',
      {
        powerLimitWatts: 70,
        graphicsClockMhz: 585,
        ecc: { enabled: true, uncorrected: 0, uncorrectedEver: 0 },
        retiredPages: { count: 0, pending: false },
      },
    ],
    [
      'a100-sxm4-v12.xml',
      { powerLimitWatts: 500, memoryClockMhz: 1593, ecc: { enabled: true, corrected: 0, uncorrected: 0 }, remappedRows: { failed: null } },
    ],
    ['rtx-3080-v13.xml', { powerLimitWatts: 320, graphicsClockMhz: 1950, ecc: { enabled: null, uncorrected: null }, persistenceMode: false }],
  ])('%s: what changes slowly is read', (file, expected) => {
    const detail = parseDetail(read(file));
    expect('gpus' in detail ? detail.gpus[0]?.deep : detail).toMatchObject(expected);
  });
});

describe('output that is none', () => {
  it.each([
    ['', 'nothing'],
    ['<html></html>', 'found html'],
    ['<nvidia_smi_log><gpu>', ''],
    ['No devices were found', ''],
  ])('%j is a mistake, never an empty machine', (xml, words) => {
    expect(parseDetail(xml)).toEqual({ mistake: expect.stringContaining(words === 'nothing' ? '' : words) });
  });
});
