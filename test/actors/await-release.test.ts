import { describe, expect, it } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { type AwaitReleaseDeps, awaitRelease } from '../../src/actors/await-release.ts';
import { measureGpus } from '../../src/actors/measure-gpus.ts';
import { overheadBytesPerGpu } from '../../src/gpu/estimate/overhead.ts';
import type { GpuFact, RunRecord } from '../../src/machines/vocabulary.ts';
import { card, gib, gpuRun, gpuSpec, mib } from '../kit/gpu-facts.ts';
import { scriptedGpus } from '../kit/scripted-gpus.ts';

const hung = { code: 'driver_error', message: 'hangs' } as const;
const limited = (ms: number): RunRecord => gpuRun({ spec: gpuSpec({ timeouts: { ...gpuSpec().timeouts, vram_release_ms: ms } }) });
const used = (usedBytes: number | null, processes: GpuFact['processes'] = []): GpuFact =>
  card(0, { memoryUsedBytes: usedBytes, memoryFreeBytes: usedBytes === null ? null : 23 * gib - usedBytes, processes });

const waiting = async (script: readonly (readonly GpuFact[] | typeof hung)[], facts: Partial<AwaitReleaseDeps> & { ms?: number } = {}) => {
  const gpus = scriptedGpus();
  let turn = 0;
  gpus.say(() => script[Math.min(turn++, script.length - 1)] ?? hung);
  const actor = createActor(awaitRelease({ source: gpus.source, pidsOf: () => [4712], readDeadlineMs: 500, pollMs: 5, ...facts }), {
    input: { run: limited(facts.ms ?? 5_000) },
  });
  const begun = performance.now();
  const output = await toPromise(actor.start());
  return { output, looks: gpus.reads.count, tookMs: performance.now() - begun };
};

describe('VRAM of a stopped engine', () => {
  it('is back when no process of the pool is on the card and what is in use is explained', async () => {
    const { output, looks } = await waiting([
      [used(8 * gib, [{ pid: 4711, usedBytes: 8 * gib }])],
      [used(8 * gib)],
      [used(9 * gib, [{ pid: 1, usedBytes: 9 * gib - 512 * mib }])],
    ]);
    expect(output).toMatchObject({ released: true, heldBytes: 512 * mib, mono: expect.any(Number) });
    expect(looks).toBe(3);
  });

  it('is not back while a descendant is on the card, however little it uses', async () => {
    const { output, looks } = await waiting([[used(mib, [{ pid: 4712, usedBytes: mib }])], [used(0)]]);
    expect(output.released).toBe(true);
    expect(looks).toBe(2);
  });

  it('does not count what the driver keeps for itself, which is more than the tolerance on large cards', async () => {
    const h200 = card(0, { memoryTotalBytes: 143771 * mib, memoryUsedBytes: 0, memoryFreeBytes: 143158 * mib });
    expect((await waiting([[h200]])).output).toMatchObject({ released: true, heldBytes: 0 });
  });

  it('is not back at the limit: says how much is held', async () => {
    const { output, tookMs } = await waiting([[used(8 * gib)]], { ms: 60 });
    expect(output).toMatchObject({ released: false, heldBytes: 8 * gib });
    expect(tookMs).toBeGreaterThanOrEqual(55);
  });

  it.each([
    ['the card is gone', [card(1)]],
    ['the card does not tell its memory', [card(0, { memoryTotalBytes: null, memoryUsedBytes: null, memoryFreeBytes: null })]],
  ])('is unknown at once when %s', async (_what, facts) => {
    const { output, looks } = await waiting([facts]);
    expect(output).toMatchObject({ released: null, heldBytes: null });
    expect(looks).toBe(1);
  });

  it('is unknown at the limit when no look succeeded, and known when one did', async () => {
    expect((await waiting([hung], { ms: 60 })).output).toMatchObject({ released: null, heldBytes: null });
    expect((await waiting([hung, hung, [used(0)]])).output).toMatchObject({ released: true });
    expect((await waiting([[used(8 * gib)], hung], { ms: 60 })).output).toMatchObject({ released: false, heldBytes: 8 * gib });
  });

  it('is unknown at the limit when a neighbour of unknown size may explain it', async () => {
    expect((await waiting([[used(8 * gib, [{ pid: 1, usedBytes: null }])]], { ms: 60 })).output).toMatchObject({
      released: null,
      heldBytes: 8 * gib,
    });
  });

  it('is waited for on every card of the pool', async () => {
    const gpus = scriptedGpus();
    gpus.say([card(0), card(1, { memoryUsedBytes: 2 * gib })]);
    const run = {
      ...limited(40),
      gpus: [
        { index: 0, uuid: 'GPU-0' },
        { index: 1, uuid: 'GPU-1' },
      ],
    };
    const actor = createActor(awaitRelease({ source: gpus.source, pidsOf: () => [], readDeadlineMs: 500, pollMs: 5 }), { input: { run } });
    expect(await toPromise(actor.start())).toMatchObject({ released: false, heldBytes: 2 * gib });
  });

  it('is judged by the root of the tree when the tree cannot be told', async () => {
    const pidsOf = () => {
      throw new Error('no /proc');
    };
    const { output, looks } = await waiting([[used(mib, [{ pid: 4711, usedBytes: mib }])], [used(0)]], { pidsOf });
    expect([output.released, looks]).toEqual([true, 2]);
  });
});

describe('measuring before admission', () => {
  const input = { spec: gpuSpec(), model: { id: 'm', path: '/m', bytes: 3 * gib } };

  it('is a fresh look and the need', async () => {
    const gpus = scriptedGpus();
    gpus.say([card(0)]);
    const actor = createActor(measureGpus({ source: gpus.source, readDeadlineMs: 500 }), { input });
    expect(await toPromise(actor.start())).toMatchObject({
      inventory: { gpus: [{ uuid: 'GPU-0' }] },
      needBytes: 3 * gib + overheadBytesPerGpu,
      mono: expect.any(Number),
    });
  });

  it('fails as a Failure with the cause of the read', async () => {
    const gpus = scriptedGpus();
    gpus.say(hung);
    const actor = createActor(measureGpus({ source: gpus.source, readDeadlineMs: 500 }), { input });
    actor.subscribe({ error: () => {} });
    await expect(toPromise(actor.start())).rejects.toEqual({ cause: hung, at: expect.any(Number), mono: expect.any(Number) });
  });

  it('fails for what keeps engines from starting on any card', async () => {
    const gpus = scriptedGpus();
    gpus.say([card(0)]);
    const obstacle = { code: 'nvidia_uvm_missing', message: 'it is missing' } as const;
    const actor = createActor(measureGpus({ source: gpus.source, readDeadlineMs: 500, obstacle: async () => obstacle }), { input });
    actor.subscribe({ error: () => {} });
    await expect(toPromise(actor.start())).rejects.toMatchObject({ cause: obstacle });
  });
});
