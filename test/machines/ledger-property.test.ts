/**
 * The ledger under every order of events: pools that ask with what they measured some time ago, engines that load, outgrow what they
 * were promised, crash and leave memory behind, and strangers that come and go. Asked of the real node chart.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { GpuFact, Inventory } from '../../src/machines/vocabulary.ts';
import { card, gib, gpuSpec, inventoryOf } from '../kit/gpu-facts.ts';
import { bootPool, driveNode, found, type NodeDriver, tick } from '../kit/node-driver.ts';

const totalGib = 24;
const strangerPid = 99;
const pools = [
  { id: 'a', devices: [0] },
  { id: 'b', devices: [0] },
  { id: 'c', devices: [1] },
  { id: 'd', devices: [0, 1] },
] as const;
type PoolId = (typeof pools)[number]['id'];

/** What is in the memory of a card, in GiB: by pools' engines, left behind by engines that ended, and by others. */
interface World {
  readonly resident: Map<PoolId, number>;
  readonly left: Map<PoolId, number>;
  readonly foreign: [number, number];
  /** Whether the driver lists the processes of engines; a container hides them. */
  readonly lists: boolean;
}

const devicesOf = (id: PoolId): readonly number[] => pools.find((pool) => pool.id === id)?.devices ?? [];
const onCard = (held: ReadonlyMap<PoolId, number>, index: number): number =>
  [...held].reduce((sum, [id, amount]) => sum + (devicesOf(id).includes(index) ? amount / devicesOf(id).length : 0), 0);

const factOf = (world: World, index: 0 | 1): GpuFact => {
  const used = onCard(world.resident, index) + onCard(world.left, index) + world.foreign[index];
  const engines = [...world.resident].flatMap(([id, amount], position) =>
    amount > 0 && devicesOf(id).includes(index) ? [{ pid: position + 1, poolId: id, usedBytes: (amount / devicesOf(id).length) * gib }] : [],
  );
  // A driver that lists processes lists those of strangers too: an empty list says that it hides them.
  const strangers = world.foreign[index] > 0 ? [{ pid: strangerPid, poolId: null, usedBytes: world.foreign[index] * gib }] : [];
  return card(index, {
    memoryTotalBytes: totalGib * gib,
    memoryUsedBytes: used * gib,
    memoryFreeBytes: Math.max(0, totalGib - used) * gib,
    processes: world.lists ? [...engines, ...strangers] : [],
  });
};

const measure = (world: World): Inventory => ({ ...inventoryOf(factOf(world, 0), factOf(world, 1)), ...tick() });

const step = fc.oneof(
  fc.record({ does: fc.constant('measure' as const), pool: fc.constantFrom(...pools.map(({ id }) => id)) }),
  fc.record({ does: fc.constant('ask' as const), pool: fc.constantFrom(...pools.map(({ id }) => id)), needGib: fc.integer({ min: 1, max: 26 }) }),
  fc.record({ does: fc.constant('load' as const), pool: fc.constantFrom(...pools.map(({ id }) => id)), toShare: fc.integer({ min: 0, max: 12 }) }),
  fc.record({ does: fc.constant('crash' as const), pool: fc.constantFrom(...pools.map(({ id }) => id)) }),
  fc.record({ does: fc.constant('release' as const), pool: fc.constantFrom(...pools.map(({ id }) => id)), gone: fc.boolean() }),
  fc.record({ does: fc.constant('foreign' as const), card: fc.constantFrom(0 as const, 1 as const), gib: fc.integer({ min: 0, max: 12 }) }),
);

const reservedOf = (node: NodeDriver, id: PoolId): number => (node.context().ledger.reservations[id]?.bytes ?? 0) / gib;

/** Of each card: what is promised, never more than there is. */
const promisedOn = (node: NodeDriver, index: number): number =>
  pools.reduce((sum, { id }) => sum + (devicesOf(id).includes(index) ? reservedOf(node, id) / devicesOf(id).length : 0), 0);

/**
 * What others hold or were promised of a card, whichever is more, with all that is nobody's. What an engine left behind is in the
 * promise to its pool, for as long as that stands: nothing is started on it before it is released.
 */
const takenByOthers = (node: NodeDriver, world: World, id: PoolId, index: number): number =>
  pools
    .filter((pool) => pool.id !== id && devicesOf(pool.id).includes(index))
    .reduce((sum, pool) => sum + Math.max(reservedOf(node, pool.id), heldBy(world, pool.id)) / devicesOf(pool.id).length, 0) +
  onCard(new Map([[id, world.left.get(id) ?? 0]]), index) +
  (world.foreign[index] ?? 0);

const heldBy = ({ resident, left }: World, id: PoolId): number => (resident.get(id) ?? 0) + (left.get(id) ?? 0);

it('no order of starts, stops, crashes and foreign use books a GPU twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(step, { minLength: 5, maxLength: 40 }), async (lists, steps) => {
      const node = driveNode({ boot: found(pools.map(({ id, devices }) => bootPool({ poolId: id, spec: gpuSpec({ id, devices }) }))) });
      await node.booted();
      const world: World = { resident: new Map(), left: new Map(), foreign: [0, 0], lists };
      const measured = new Map<PoolId, { readonly inventory: Inventory; readonly fresh: boolean }>();
      const change = (): void => {
        for (const [id, one] of measured) measured.set(id, { ...one, fresh: false });
      };
      for (const one of steps) {
        switch (one.does) {
          case 'measure':
            measured.set(one.pool, { inventory: measure(world), fresh: true });
            break;
          case 'ask': {
            const look = measured.get(one.pool);
            // A pool asks once it has measured, and while it has no engine.
            if (look === undefined || (world.resident.get(one.pool) ?? 0) > 0 || (world.left.get(one.pool) ?? 0) > 0) break;
            const needBytes = one.needGib * gib;
            node.pool(one.pool).say({
              type: 'admission.requested',
              poolId: one.pool,
              devices: devicesOf(one.pool),
              tensorSplit: null,
              needBytes,
              inventory: look.inventory,
            });
            const answer = node.pool(one.pool).heard.at(-1)?.type;
            if (answer === 'admission.granted' && look.fresh && lists)
              for (const index of devicesOf(one.pool))
                expect(one.needGib / devicesOf(one.pool).length + takenByOthers(node, world, one.pool, index)).toBeLessThanOrEqual(totalGib + 1e-6);
            if (answer === 'admission.refused') expect(node.pool(one.pool).heard.at(-1)).toMatchObject({ cause: { code: 'insufficient_vram' } });
            break;
          }
          case 'load': {
            // Up to a fifth more than it was promised: estimates are rules of thumb.
            const promised = reservedOf(node, one.pool);
            if (promised > 0 && (world.left.get(one.pool) ?? 0) === 0) world.resident.set(one.pool, (promised * one.toShare) / 10);
            change();
            break;
          }
          case 'crash':
            world.left.set(one.pool, world.resident.get(one.pool) ?? 0);
            world.resident.delete(one.pool);
            change();
            break;
          case 'release':
            if ((world.resident.get(one.pool) ?? 0) > 0) break;
            if (one.gone) world.left.delete(one.pool);
            node.pool(one.pool).say({ type: 'reservation.released', poolId: one.pool });
            change();
            break;
          case 'foreign':
            world.foreign[one.card] = one.gib;
            change();
            break;
        }
        for (const index of [0, 1]) expect(promisedOn(node, index), `promised on card ${index}`).toBeLessThanOrEqual(totalGib + 1e-6);
      }
      node.actor.stop();
    }),
    { numRuns: 500 },
  );
});

it('a GPU with room takes who asks: refusing everything would be no ledger', async () => {
  const node = driveNode({ boot: found(pools.map(({ id, devices }) => bootPool({ poolId: id, spec: gpuSpec({ id, devices }) }))) });
  await node.booted();
  const world: World = { resident: new Map(), left: new Map(), foreign: [2, 0], lists: true };
  const ask = (id: PoolId, needGib: number): string | undefined => {
    node.pool(id).say({
      type: 'admission.requested',
      poolId: id,
      devices: devicesOf(id),
      tensorSplit: null,
      needBytes: needGib * gib,
      inventory: measure(world),
    });
    return node.pool(id).heard.at(-1)?.type;
  };
  expect([ask('a', 10), ask('b', 6), ask('c', 18), ask('d', 12)]).toEqual(Array.from({ length: 4 }, () => 'admission.granted'));
  world.resident.set('a', 10);
  expect(ask('b', 7)).toBe('admission.refused');
});
