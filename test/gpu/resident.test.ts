/** What an engine holds against what a model wholly in VRAM would make it hold. */
import { describe, expect, it } from 'vitest';
import { heldInWords, residencyViolation, residentBounds } from '../../src/gpu/resident.ts';
import type { ModelPresent, ModelShape } from '../../src/machines/vocabulary.ts';
import { gib, gpuSpec } from '../kit/gpu-facts.ts';

const shape: ModelShape = {
  format: 'gguf',
  architecture: 'llama',
  tensorBytes: 21 * gib,
  hostBytes: gib,
  contextLength: 8_192,
  embedding: 4_096,
  feedForward: 11_008,
  vocabulary: 32_000,
  cache: { full: { k: 131_072, v: 131_072 }, windowed: { k: 0, v: 0 }, window: null },
};
const model = (facts: Partial<ModelPresent> = {}): ModelPresent => ({ id: 'm', path: '/m.gguf', bytes: 21 * gib, shape, ...facts });
const spec = gpuSpec({ ctx: 8_192, slots: 1 });
/** 20 GiB of weights and 4 GiB of KV cache. */
const bounds = residentBounds(spec, model());

describe('the bounds of an engine', () => {
  it('are nine tenths of the weights, and an allowance on the host', () => {
    expect((bounds.leastVramBytes ?? 0) / gib).toBeCloseTo(18, 1);
    expect((bounds.mostHostBytes ?? 0) / gib).toBeCloseTo(2 + 1 / 16 + 1 + 5, 1);
  });

  it('are wider where the header is not understood, and where Python runs', () => {
    expect((residentBounds(spec, model({ shape: null })).leastVramBytes ?? 0) / gib).toBeCloseTo(0.7 * 21, 1);
    const vllm = residentBounds(gpuSpec({ engine: 'vllm', devices: [0, 1] }), model());
    expect((vllm.leastVramBytes ?? 0) / gib).toBeCloseTo(0.9 * 21, 1);
    expect((vllm.mostHostBytes ?? 0) / gib).toBeGreaterThan(20);
  });

  it('are unknown for an engine of which nothing is known', () => {
    const nothing = { leastVramBytes: null, mostHostBytes: null };
    expect(residentBounds(gpuSpec({ engine: 'custom' }), model())).toEqual(nothing);
    expect(residentBounds(spec, model({ bytes: null, shape: null }))).toEqual(nothing);
  });
});

describe('what an engine holds', () => {
  it.each([
    ['all of it', { vramBytes: 24.5 * gib, hostBytes: gib }],
    ['nothing that is known', { vramBytes: null, hostBytes: null }],
  ])('is no violation: %s', (_what, held) => expect(residencyViolation(bounds, held)).toBeNull());

  it('is a violation where 20 of 33 layers are on the GPU (row 39)', () => {
    const held = { vramBytes: (20 / 33) * 20 * gib + 4 * gib, hostBytes: gib };
    expect(residencyViolation(bounds, held)).toMatchObject({
      code: 'residency_violation',
      message: expect.stringMatching(/at least 18\.00 GiB held there .*, found 16\.12 GiB; a smaller model/),
      details: { least_vram_bytes: bounds.leastVramBytes },
    });
  });

  it('is a violation where only host memory can be seen, and too much of it', () => {
    expect(residencyViolation(bounds, { vramBytes: null, hostBytes: 12 * gib })).toMatchObject({ message: expect.stringContaining('host memory') });
  });

  it('is none where no bound is known', () => {
    expect(residencyViolation({ leastVramBytes: null, mostHostBytes: null }, { vramBytes: 0, hostBytes: 900 * gib })).toBeNull();
  });

  it('is told in words, as far as it is known', () => {
    expect(heldInWords(bounds, { vramBytes: 24 * gib, hostBytes: gib })).toEqual([
      'its processes hold 24.00 GiB of VRAM (at least 18.00 GiB)',
      expect.stringMatching(/^and 1\.00 GiB of host memory of their own \(at most 8\.06 GiB\)$/),
    ]);
    expect(heldInWords(bounds, { vramBytes: null, hostBytes: null })).toEqual([]);
  });
});
