import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, emptyLedger, type Ledger, type Request, release, reserve, reservedOn } from '../../src/machines/policies/ledger.ts';
import type { GpuFact, GpuProcess } from '../../src/machines/vocabulary.ts';
import { card, gib, inventoryOf } from '../kit/gpu-facts.ts';

const gpu = (index: number) => ({ index, uuid: `GPU-${index}` });
const ask = (poolId: string, needBytes: number | null, facts: Partial<Request> = {}): Request => ({
  poolId,
  needBytes,
  gpus: [gpu(0)],
  inventory: inventoryOf(card(0), card(1)),
  ...facts,
});
const granted = (ledger: Ledger, request: Request): Ledger => {
  const admission = admit(ledger, request);
  if (!admission.granted) throw new Error(admission.cause.message);
  return admission.ledger;
};
/** A card in use, as the driver tells it. */
const inUse = (usedBytes: number, processes: readonly GpuProcess[] = []): GpuFact =>
  card(0, { memoryUsedBytes: usedBytes, memoryFreeBytes: 24 * gib - usedBytes, processes });

describe('the ledger', () => {
  it('grants what fits and keeps it for that pool alone', () => {
    const ledger = granted(emptyLedger, ask('a', 16 * gib));
    expect(reservedOn(ledger, 'GPU-0')).toBe(16 * gib);
    expect(reservedOn(ledger, 'GPU-1')).toBe(0);
    expect(release(ledger, 'a')).toEqual(emptyLedger);
    expect(release(emptyLedger, 'a')).toEqual(emptyLedger);
  });

  it('refuses what does not fit, with the numbers of the card and what frees it', () => {
    const first = granted(emptyLedger, ask('a', 16 * gib));
    expect(admit(first, ask('b', 10 * gib))).toMatchObject({
      granted: false,
      cause: {
        code: 'insufficient_vram',
        message: expect.stringMatching(
          /GPU 0 .*b needs 10.00 GiB, available 8.00 GiB \(total 24.00 GiB, free by the driver 24.00 GiB, .*not yet used 16.00 GiB\); draining a frees 16.00 GiB/,
        ),
        details: {
          gpus: [
            {
              gpu: 'GPU-0',
              need_bytes: 10 * gib,
              available_bytes: 8 * gib,
              driver_free_bytes: 24 * gib,
              reserved: [{ pool_id: 'a', bytes: 16 * gib }],
            },
          ],
        },
      },
    });
  });

  it('says so when it can never fit', () => {
    expect(admit(emptyLedger, ask('a', 30 * gib))).toMatchObject({ granted: false, cause: { message: expect.stringContaining('never fit') } });
  });

  it('replaces a pool’s own reservation when it asks again', () => {
    const ledger = granted(granted(emptyLedger, ask('a', 16 * gib)), ask('a', 20 * gib));
    expect(reservedOn(ledger, 'GPU-0')).toBe(20 * gib);
  });

  it('believes the driver where it sees less than the ledger', () => {
    const inventory = inventoryOf(inUse(20 * gib, [{ pid: 5, usedBytes: 20 * gib, poolId: null }]));
    expect(admit(emptyLedger, ask('a', 8 * gib, { inventory }))).toMatchObject({
      granted: false,
      cause: { message: expect.stringMatching(/available 4.00 GiB.*ending pid 5, not of any pool, frees 20.00 GiB/) },
    });
  });

  it('does not count an engine twice that has loaded what it was promised', () => {
    const ledger = granted(emptyLedger, ask('a', 10 * gib));
    for (const process of [
      { pid: 1, usedBytes: 10 * gib, poolId: 'a' },
      { pid: 1, usedBytes: 10 * gib },
    ]) {
      expect(admit(ledger, ask('b', 14 * gib, { inventory: inventoryOf(inUse(10 * gib, [process])) }))).toMatchObject({ granted: true });
    }
  });

  it('does not count it twice either where processes are hidden, as in containers', () => {
    const ledger = granted(emptyLedger, ask('a', 10 * gib));
    expect(admit(ledger, ask('b', 14 * gib, { inventory: inventoryOf(inUse(10 * gib)) }))).toMatchObject({ granted: true });
  });

  it('stands alone where the driver does not tell what is free', () => {
    const silent = { inventory: inventoryOf(card(0, { memoryUsedBytes: null, memoryFreeBytes: null })) };
    const ledger = granted(emptyLedger, ask('a', 10 * gib, silent));
    expect(admit(ledger, ask('b', 15 * gib, silent))).toMatchObject({ granted: false });
    expect(admit(ledger, ask('b', 14 * gib, silent))).toMatchObject({ granted: true });
  });

  it('keeps what was promised but is not loaded yet apart from what strangers use', () => {
    const ledger = granted(emptyLedger, ask('a', 10 * gib));
    const inventory = inventoryOf(inUse(10 * gib, [{ pid: 1, usedBytes: 10 * gib, poolId: null }]));
    expect(admit(ledger, ask('b', 14 * gib, { inventory }))).toMatchObject({
      granted: false,
      cause: { message: expect.stringContaining('available 4.00 GiB') },
    });
    expect(admit(ledger, ask('b', 4 * gib, { inventory }))).toMatchObject({ granted: true });
  });

  it('splits over several cards evenly, or as tensor_split says, and refuses a share that does not fit its card', () => {
    const inventory = inventoryOf(card(0), card(1, { memoryTotalBytes: 8 * gib, memoryFreeBytes: 8 * gib }));
    const both = { gpus: [gpu(0), gpu(1)], inventory };
    expect(admit(emptyLedger, ask('a', 20 * gib, both))).toMatchObject({ granted: false, cause: { message: expect.stringContaining('GPU 1') } });
    const ledger = granted(emptyLedger, ask('a', 20 * gib, { ...both, tensorSplit: [0.75, 0.25] }));
    expect([reservedOn(ledger, 'GPU-0'), reservedOn(ledger, 'GPU-1')]).toEqual([15 * gib, 5 * gib]);
    expect(admit(emptyLedger, ask('a', gib, { ...both, tensorSplit: [1] }))).toMatchObject({ granted: false, cause: { code: 'invalid_spec' } });
  });

  it('does not guess: without a number it grants with a note', () => {
    const dumb = inventoryOf(card(0, { memoryTotalBytes: null, memoryUsedBytes: null, memoryFreeBytes: null }));
    expect(admit(emptyLedger, ask('a', 8 * gib, { inventory: dumb }))).toMatchObject({
      granted: true,
      notes: [expect.stringContaining('memory is not known')],
    });
    expect(admit(emptyLedger, ask('a', null))).toMatchObject({ granted: true, notes: [expect.stringContaining('what a needs is not known')] });
    const noTotal = inventoryOf(card(0, { memoryTotalBytes: null, memoryFreeBytes: 4 * gib }));
    expect(admit(emptyLedger, ask('a', 2 * gib, { inventory: noTotal }))).toMatchObject({
      granted: true,
      notes: [expect.stringContaining('total memory')],
    });
    expect(admit(emptyLedger, ask('a', 8 * gib, { inventory: noTotal }))).toMatchObject({ granted: false });
  });

  it('refuses a card that is not there', () => {
    expect(admit(emptyLedger, ask('a', gib, { gpus: [gpu(5)] }))).toMatchObject({ granted: false, cause: { code: 'gpu_missing' } });
  });

  it('counts compute instances of one GPU instance against the memory they share', () => {
    const part = (uuid: string, computeInstanceId: number) => ({
      uuid,
      profile: null,
      gpuInstanceId: 2,
      computeInstanceId,
      memoryTotalBytes: 16 * gib,
      memoryUsedBytes: 0,
      memoryFreeBytes: 16 * gib,
    });
    const inventory = inventoryOf(card(0, { mig: [part('MIG-a', 0), part('MIG-b', 1)] }));
    const on = (uuid: string) => ({ inventory, gpus: [{ index: 0, uuid }] });
    const ledger = granted(emptyLedger, ask('a', 10 * gib, on('MIG-a')));
    expect(admit(ledger, ask('b', 10 * gib, on('MIG-b')))).toMatchObject({
      granted: false,
      cause: { message: expect.stringContaining('available 6.00 GiB') },
    });
    expect(
      admit(
        emptyLedger,
        ask('c', 20 * gib, {
          inventory,
          gpus: [
            { index: 0, uuid: 'MIG-a' },
            { index: 0, uuid: 'MIG-b' },
          ],
        }),
      ),
    ).toMatchObject({ granted: false });
  });

  it('never over-books a card, however admissions, loads, unloads and releases interleave', () => {
    const total = 24;
    const step = fc.record({
      pool: fc.constantFrom('a', 'b', 'c', 'd'),
      what: fc.constantFrom('admit', 'load', 'unload', 'release'),
      need: fc.integer({ min: 1, max: 30 }),
      cards: fc.constantFrom([0], [1], [0, 1], [1, 0]),
      named: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 0, max: 12 }), (steps, stranger) => {
        let ledger = emptyLedger;
        const loaded = new Set<string>();
        for (const { pool, what, need, cards, named } of steps) {
          const resident = (uuid: string, owner: string): number => {
            const own = ledger.reservations[owner];
            return loaded.has(owner) && own?.gpuUuids.includes(uuid) ? (own.bytes ?? 0) / own.gpuUuids.length : 0;
          };
          const tell = (index: number): GpuFact => {
            const outside = index === 0 ? [{ pid: 1, usedBytes: stranger, poolId: null }] : [];
            const own = [...loaded].map((owner, at) => ({ pid: 10 + at, usedBytes: resident(`GPU-${index}`, owner), poolId: owner }));
            const used = [...outside, ...own].reduce((sum, one) => sum + one.usedBytes, 0);
            return card(index, {
              memoryTotalBytes: total,
              memoryUsedBytes: used,
              memoryFreeBytes: total - used,
              processes: named ? [...outside, ...own] : [],
            });
          };
          if (what === 'admit' && !loaded.has(pool)) {
            const admission = admit(ledger, { poolId: pool, needBytes: need, gpus: cards.map(gpu), inventory: inventoryOf(tell(0), tell(1)) });
            if (admission.granted) ledger = admission.ledger;
          } else if (what === 'load' && ledger.reservations[pool]) loaded.add(pool);
          else if (what === 'unload') loaded.delete(pool);
          else if (what === 'release' && !loaded.has(pool)) ledger = release(ledger, pool);
          for (const index of [0, 1]) expect(reservedOn(ledger, `GPU-${index}`)).toBeLessThanOrEqual(total);
          const outsideSeen = steps.every((one) => one.named) ? stranger : 0;
          expect(reservedOn(ledger, 'GPU-0') + outsideSeen).toBeLessThanOrEqual(total);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes up an engine that runs already without asking', () => {
    const ledger = reserve(emptyLedger, 'a', { bytes: 30 * gib, gpuUuids: ['GPU-0'] });
    expect(admit(ledger, ask('b', gib))).toMatchObject({ granted: false, cause: { details: { gpus: [{ available_bytes: -6 * gib }] } } });
  });
});
