import { describe, expect, it } from 'vitest';
import { CauseError, isCause } from '../../src/cause.ts';
import { lateReleaseMs, simulated, simulatedUuid } from '../../src/gpu/simulated.ts';
import type { GpuFact, RunRecord } from '../../src/machines/vocabulary.ts';
import { gib, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';

const cards = [0, 1].map((index) => ({ name: `Simulated ${index}`, memoryBytes: 24 * gib, computeCapability: '8.9' }));
const gpu = (index: number) => ({ index, uuid: simulatedUuid(index) });

const world = () => {
  const state = { runs: [] as RunRecord[], dead: new Set<string>(), now: 0 };
  const source = simulated({
    cards,
    runs: async () => state.runs,
    isAlive: (run) => !state.dead.has(run.poolId),
    mono: () => state.now,
  });
  const look = async (): Promise<readonly GpuFact[]> => {
    const read = await source.read(1_000);
    if (isCause(read)) throw new Error(read.message);
    return read.gpus;
  };
  return { state, source, look };
};

describe('simulated cards', () => {
  it('have the same UUIDs every time, and call themselves simulated', async () => {
    const { source, look } = world();
    expect((await look()).map(({ uuid, index }) => [index, uuid])).toEqual([
      [0, 'GPU-00000000-51d0-4000-8000-000000000000'],
      [1, 'GPU-00000000-51d0-4000-8000-000000000001'],
    ]);
    expect(await source.read(1_000)).toMatchObject({ source: 'simulated', driverVersion: null });
  });

  it('are used by what live engines were granted, on the cards they are pinned to', async () => {
    const { state, look } = world();
    state.runs = [
      gpuRun({ poolId: 'a', pid: 11, gpus: [gpu(0)], reservedBytes: 8 * gib }),
      gpuRun({ poolId: 'b', pid: 12, gpus: [gpu(0), gpu(1)], reservedBytes: 10 * gib }),
    ];
    const [first, second] = await look();
    expect(first).toMatchObject({ memoryUsedBytes: 13 * gib, memoryFreeBytes: 11 * gib });
    expect(first?.processes).toEqual([
      { pid: 11, usedBytes: 8 * gib, poolId: 'a' },
      { pid: 12, usedBytes: 5 * gib, poolId: 'b' },
    ]);
    expect(second).toMatchObject({ memoryUsedBytes: 5 * gib, processes: [{ pid: 12 }] });
  });

  it('are shared as tensor_split says', async () => {
    const { state, look } = world();
    state.runs = [gpuRun({ gpus: [gpu(0), gpu(1)], reservedBytes: 8 * gib, spec: gpuSpec({ tensor_split: [0.75, 0.25] }) })];
    expect((await look()).map((one) => one.memoryUsedBytes)).toEqual([6 * gib, 2 * gib]);
  });

  it.each(['its process died', 'its record is gone'])('give memory back half a second after an engine ended (%s)', async (how) => {
    const { state, look } = world();
    state.runs = [gpuRun({ poolId: 'a', gpus: [gpu(0)], reservedBytes: 8 * gib })];
    await look();
    if (how === 'its process died') state.dead.add('a');
    else state.runs = [];
    state.now = 1_000;
    expect((await look())[0]).toMatchObject({ memoryUsedBytes: 8 * gib, processes: [] });
    state.now += lateReleaseMs - 1;
    expect((await look())[0]).toMatchObject({ memoryUsedBytes: 8 * gib });
    state.now += 1;
    expect((await look())[0]).toMatchObject({ memoryUsedBytes: 0, memoryFreeBytes: 24 * gib });
  });

  it('hold nothing for an engine without an estimate, and list its process', async () => {
    const { state, look } = world();
    state.runs = [gpuRun({ gpus: [gpu(0)], reservedBytes: null })];
    expect((await look())[0]).toMatchObject({ memoryUsedBytes: 0, processes: [{ pid: 4711, usedBytes: null }] });
  });

  it('cannot be read when the run records cannot', async () => {
    const reason = { code: 'disk_full', message: 'no space' } as const;
    const source = simulated({ cards, runs: () => Promise.reject(new CauseError(reason)), isAlive: () => true });
    expect(await source.read(1_000)).toEqual(reason);
  });
});
