/** Which source `auto` takes: NVML once it has shown that it works, nvidia-smi before and whenever NVML does not do. */
import { describe, expect, it } from 'vitest';
import { automatic } from '../../src/gpu/automatic.ts';
import type { NvmlSource } from '../../src/gpu/nvml/nvml.ts';
import type { GpuSource } from '../../src/gpu/source.ts';
import type { Cause, Inventory } from '../../src/machines/vocabulary.ts';
import { card, inventoryOf } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const failure: Cause = { code: 'driver_error', message: 'it failed, as a test says' };
const hang: Cause = { ...failure, details: { hanging_ms: 3_000 } };
const found = (source: Inventory['source'], ...uuids: readonly string[]): Inventory => ({
  ...inventoryOf(...uuids.map((uuid, index) => card(index, { uuid }))),
  source,
});

const both = () => {
  const says: { smi: Inventory | Cause; nvml: Inventory | Cause; lacks: string | null } = {
    smi: found('nvidia-smi', 'GPU-a', 'GPU-b'),
    nvml: found('nvml', 'GPU-b', 'GPU-a'),
    lacks: null,
  };
  const asked = { smi: 0, nvml: 0 };
  const notes: string[] = [];
  let closed = 0;
  const ask = (which: 'smi' | 'nvml'): GpuSource['read'] => {
    return async () => {
      asked[which] += 1;
      return says[which];
    };
  };
  const close = (): void => {
    closed += 1;
  };
  const smi: GpuSource = { name: 'nvidia-smi', read: ask('smi'), close };
  const nvml: NvmlSource = { name: 'nvml', read: ask('nvml'), listen: () => () => {}, lacks: () => says.lacks, close };
  const source = automatic({ smi, nvml, onNote: (note) => notes.push(note) });
  return { source, says, asked, notes, closed: () => closed };
};

describe('auto', () => {
  it('is nvidia-smi at first, and NVML once that has listed the same cards', async () => {
    const { source, notes, asked } = both();
    expect(await source.read(1_000)).toMatchObject({ source: 'nvidia-smi' });
    await until('it to be told', () => notes.length === 1);
    expect(notes[0]).toMatch(/through NVML from now on, which is experimental/);
    expect(source.name).toBe('nvml');
    expect(await source.read(1_000)).toMatchObject({ source: 'nvml' });
    expect(asked).toEqual({ smi: 1, nvml: 2 });
  });

  it('stays nvidia-smi where there is no NVML, and says once why', async () => {
    const { source, says, notes, asked } = both();
    Object.assign(says, { nvml: failure, lacks: 'there is no library' });
    await source.read(1_000);
    await source.read(1_000);
    expect(notes).toEqual([expect.stringContaining('NVML is not used: there is no library')]);
    expect(asked).toEqual({ smi: 2, nvml: 1 });
  });

  it('stays nvidia-smi where NVML lists other cards', async () => {
    const { source, says, notes } = both();
    says.nvml = found('nvml', 'GPU-a');
    await source.read(1_000);
    await until('it to be told', () => notes.length === 1);
    expect(notes[0]).toContain('lists other cards (GPU-a) than nvidia-smi (GPU-a, GPU-b)');
  });

  it('tries NVML again later where the driver failed it once', async () => {
    const { source, says, notes } = both();
    says.nvml = failure;
    await source.read(1_000);
    expect(await source.read(1_000)).toMatchObject({ source: 'nvidia-smi' });
    says.nvml = found('nvml', 'GPU-a', 'GPU-b');
    await source.read(1_000);
    await until('it to be told', () => notes.length === 1);
    expect(source.name).toBe('nvml');
  });

  it('takes NVML at once where nvidia-smi is missing', async () => {
    const { source, says } = both();
    says.smi = failure;
    expect(await source.read(1_000)).toMatchObject({ source: 'nvml' });
  });

  it('does not ask NVML while nvidia-smi hangs in the driver: one stuck process is enough', async () => {
    const { source, says, asked } = both();
    says.smi = hang;
    expect(await source.read(1_000)).toBe(hang);
    expect(asked.nvml).toBe(0);
  });

  it('does not fall back from a driver that fails or hangs, and falls back from NVML that cannot be used any more', async () => {
    const { source, says, notes, asked } = both();
    await source.read(1_000);
    await until('it to be told', () => notes.length === 1);
    says.nvml = hang;
    expect(await source.read(1_000)).toBe(hang);
    expect(asked.smi).toBe(1);
    says.lacks = 'it broke 3 times';
    expect(await source.read(1_000)).toMatchObject({ source: 'nvidia-smi' });
    expect(notes[1]).toContain('it broke 3 times');
    expect(source.name).toBe('nvidia-smi');
  });

  it('closes both', () => {
    const { source, closed } = both();
    source.close();
    expect(closed()).toBe(2);
  });
});
