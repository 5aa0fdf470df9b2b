/** Pools and nodes of the real charts on a clock that a scenario moves: what takes minutes in life. */
import { defineParameterType, Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import type { ReasonCode } from '../../../src/machines/reasons.ts';
import { bootPool, driveNode, found, type NodeDriver } from '../../kit/node-driver.ts';
import { drivePool, type PoolDriver } from '../../kit/pool-driver.ts';
import { end, toLoading, toReady } from '../../kit/pool-steps.ts';
import { because, load } from '../../kit/pool-words.ts';
import type { World } from './world.ts';

defineParameterType({ name: 'cause', regexp: /engine_exited|cuda_error|engine_completed/, transformer: (code: string) => code as ReasonCode });

const pools = new WeakMap<World, PoolDriver>();
const nodes = new WeakMap<World, NodeDriver>();
const second = 1_000;
const minute = 60 * second;
/** Waits are moved by a quarter at most. */
const play = 0.25;

const pool = (world: World): PoolDriver => {
  const driven = pools.get(world);
  if (driven === undefined) throw new Error('expected "Given a pool on a clock" first');
  return driven;
};
const node = (world: World): NodeDriver => {
  const driven = nodes.get(world);
  if (driven === undefined) throw new Error('expected "Given a node on a clock" first');
  return driven;
};

Given('a pool on a clock', (world: World) => {
  const driven = drivePool(null);
  pools.set(world, driven);
  world.context.onTestFinished(() => void driven.stop());
});

When('its engine fails to start {int} time(s)', async (world: World, times: number) => {
  for (let count = 0; count < times; count += 1) {
    if (count > 0) await waitOut(world);
    await failStart(world, 'engine_exited');
  }
});
When('its engine fails to start with {cause}', (world: World, code: ReasonCode) => failStart(world, code));
When('its wait is over', (world: World) => waitOut(world));
When('it becomes ready and stays so for {int} second(s)', async (world: World, seconds: number) => {
  await toReady(pool(world));
  await pool(world).pass(seconds * second);
});
When('its engine ends with {cause}', async (world: World, code: ReasonCode) => {
  pool(world).send({ type: 'engine.exited', exit: { code: code === 'engine_completed' ? 0 : 1, signal: null }, cause: because(code), tail: [] });
  await end(pool(world));
});
When('it is started by hand', (world: World) => pool(world).send({ type: 'pool.start' }));
When('it becomes ready', (world: World) => toReady(pool(world)));
When('{int} probe(s) in a row fail(s)', (world: World, times: number) => {
  for (let count = 0; count < times; count += 1)
    pool(world).send({ type: 'health.failed', outcome: 'timeout', cause: because('health_failed'), hostSuspected: false });
});
When('{int} probe(s) in a row pass(es)', (world: World, times: number) => {
  for (let count = 0; count < times; count += 1) pool(world).send({ type: 'health.passed', outcome: 'ok', load: load(0) });
});
When('{int} seconds pass', (world: World, seconds: number) => (pools.has(world) ? pool(world).pass(seconds * second) : pass(world, seconds)));

Then('its waits between {int} starts are {string} seconds, each moved by a quarter at most', async (world: World, starts: number, list: string) => {
  const waits = list.split(', ').map(Number);
  expect(waits.length).toBe(starts);
  for (const seconds of waits) {
    await failStart(world, 'engine_exited');
    expectDelay(world, seconds * second);
    await waitOut(world);
  }
});
Then('it waits {int} second(s), moved by a quarter at most', (world: World, seconds: number) => expectDelay(world, seconds * second));
Then('it waits {int} minute(s), moved by a quarter at most', (world: World, minutes: number) => expectDelay(world, minutes * minute));
Then('its wait does not end a millisecond early', async (world: World) => {
  await pool(world).pass(delayOf(world) - 1);
  expect(pool(world).where()).toBe('offline.backingOff');
  await pool(world).pass(1);
  expect(pool(world).where()).toContain('provisioning');
});
Then('it shows the reason {word}', (world: World, code: string) => {
  expect(pool(world).view()).toMatchObject({ ready: false, reason: { code } });
});
Then('it shows {int} restart(s)', (world: World, count: number) => expect(pool(world).view()).toMatchObject({ restarts: count }));
Then('it stands at {word}', (world: World, where: string) =>
  expect(pool(world).where()).toMatch(new RegExp(`^${where.replaceAll('.', '\\.')}(\\.|$)`)),
);
Then('it is being started', (world: World) => expect(pool(world).where()).toContain('provisioning'));
Then('{int} starts were made in all', (world: World, count: number) =>
  expect(pool(world).works.filter(({ name }) => name === 'spawnEngine').length).toBe(count),
);
Then('nothing of it was against the rules, and its journal tells the same story', (world: World) => {
  expect(pool(world).violations).toEqual([]);
  expect(pool(world).divergence()).toBeNull();
});

Given('a node on a clock with the pools {string} and {string}', async (world: World, one: string, other: string) => {
  const driven = driveNode({ boot: found([bootPool({ poolId: one }), bootPool({ poolId: other })]) });
  nodes.set(world, driven);
  world.context.onTestFinished(() => void driven.actor.stop());
  await driven.booted();
  driven.discover();
});
When('pool {string} is restarted {int} time(s)', (world: World, id: string, times: number) => {
  for (let count = 0; count < times; count += 1)
    node(world)
      .pool(id)
      .say({ type: 'pool.backedOff', poolId: id, mono: node(world).clock.now() });
});
Then('the node is {word} about restarts', (world: World, mood: string) => expect(node(world).value()).toMatchObject({ restarts: mood }));
Then('pool {string} has been told nothing', (world: World, id: string) => {
  expect(
    node(world)
      .heard(id)
      .filter((type) => type.startsWith('pool.')),
  ).toEqual([]);
});

const delayOf = (world: World): number => pool(world).context().retry?.delayMs ?? Number.NaN;
const waitOut = (world: World): Promise<void> => pool(world).pass(delayOf(world));
const expectDelay = (world: World, ms: number): void => {
  expect(delayOf(world)).toBeGreaterThanOrEqual(ms * (1 - play));
  expect(delayOf(world)).toBeLessThanOrEqual(ms * (1 + play));
};
const failStart = async (world: World, code: ReasonCode): Promise<void> => {
  await toLoading(pool(world));
  pool(world).send({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because(code), tail: [] });
  await end(pool(world));
};
const pass = (world: World, seconds: number): void => void node(world).clock.increment(seconds * second);
