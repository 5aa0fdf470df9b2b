/** The continuous proof: measured at an interval, and a violation only when it lasts. */
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { measureResidency, type ResidencyDeps, watchResidency } from '../../src/actors/probe/residency.ts';
import type { RunRecord } from '../../src/machines/vocabulary.ts';
import { readAnonymousBytes } from '../../src/os/proc-memory.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { writeGguf } from '../kit/gguf-writer.ts';
import { gib, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { tinyModel } from '../kit/tiny-models.ts';

let run: RunRecord;
beforeEach(async () => {
  const path = join(await temporaryDir(), 'tiny.gguf');
  await writeGguf(
    path,
    tinyModel({
      architecture: 'llama',
      layers: 2,
      embedding: 256,
      heads: 4,
      headsKv: 4,
      headSize: 64,
      feedForward: 512,
      vocabulary: 512,
      contextLength: 512,
      tied: false,
      type: 'f32',
    }),
  );
  run = gpuRun({ spec: gpuSpec({ ctx: 512 }), model: { id: 'tiny', path, bytes: 1 } });
});

const mib = 1024 ** 2;
const deps = (vramBytes: number | null, pids: readonly number[] = [process.pid]): ResidencyDeps => ({
  vramUsedBytes: () => vramBytes,
  membersOf: async () => pids.map((pid) => ({ pid })),
});

describe('host memory of a process', () => {
  it('is what it has for itself', () => {
    const before = readAnonymousBytes(process.pid) ?? 0;
    const block = Buffer.alloc(64 * mib, 1);
    expect((readAnonymousBytes(process.pid) ?? 0) - before).toBeGreaterThan(32 * mib);
    expect(block.length).toBe(64 * mib);
    expect(readAnonymousBytes(2 ** 30)).toBeNull();
  });
});

describe('one measurement', () => {
  it('shows what was found, by the header of the model', async () => {
    const { violation, evidence } = await measureResidency(run, deps(500 * mib));
    expect(violation).toBeNull();
    expect(evidence).toEqual([
      expect.stringContaining('its processes hold 0.49 GiB of VRAM'),
      expect.stringContaining('of host memory of their own'),
    ]);
  });

  it('finds too little in VRAM', async () => {
    expect((await measureResidency(run, deps(mib))).violation).toMatchObject({ code: 'residency_violation', details: { vram_bytes: mib } });
  });

  it('knows nothing of what it cannot see, of simulated cards and of engines that are not ours', async () => {
    expect(await measureResidency(run, deps(null, []))).toEqual({ violation: null, vramBytes: null, evidence: [] });
    expect((await measureResidency({ ...run, simulated: true }, deps(0))).violation).toBeNull();
    expect((await measureResidency({ ...run, model: { id: 'x', path: '/gone.gguf', bytes: null } }, deps(0))).violation).toBeNull();
    const broken = { vramUsedBytes: () => Promise.reject(new Error('no')), membersOf: () => Promise.reject(new Error('no')) };
    expect(await measureResidency(run, broken)).toEqual({ violation: null, vramBytes: null, evidence: [] });
  });
});

describe('a watch over an engine that serves', () => {
  it('measures at its interval, and takes two violations in a row for one', async () => {
    let vram = 500 * mib;
    let measured = 0;
    const vramUsedBytes = (): number => {
      measured += 1;
      return vram;
    };
    const watch = watchResidency(run, { ...deps(null), vramUsedBytes }, 1_000);
    expect(await watch.judge(0)).toBeNull();
    expect(await watch.judge(999)).toBeNull();
    expect(measured).toBe(1);
    vram = mib;
    expect(await watch.judge(1_000)).toBeNull();
    vram = 500 * mib;
    expect(await watch.judge(2_000)).toBeNull();
    vram = mib;
    expect(await watch.judge(3_000)).toBeNull();
    expect(await watch.judge(3_500)).toBeNull();
    expect(await watch.judge(4_000)).toMatchObject({ code: 'residency_violation', message: expect.stringContaining('wholly in VRAM') });
  });

  it('is none without a way to measure', async () => {
    expect(await watchResidency(run, null).judge(0)).toBeNull();
    expect(await watchResidency({ ...run, simulated: true }, deps(0)).judge(gib)).toBeNull();
  });
});
