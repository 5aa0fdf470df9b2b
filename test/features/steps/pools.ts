/** Pools: declared, waited for, looked at. */
import { defineParameterType, Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { freePorts } from '../../kit/free-ports.ts';
import { until } from '../../kit/until.ts';
import { manners } from './manners.ts';
import { type Table, valuesOf } from './table.ts';
import type { World } from './world.ts';

defineParameterType({ name: 'manner', regexp: new RegExp(Object.keys(manners).join('|')), transformer: (words: string) => words });
defineParameterType({ name: 'reason', regexp: /[a-z]+(?:_[a-z]+)*/, transformer: (code: string) => code });
defineParameterType({
  name: 'state',
  regexp: /(?:uninitialized|provisioning|starting|ready|draining|offline)(?:\.[a-zA-Z]+)*/,
  transformer: (state: string) => state,
});

Given('the/another pool {string}', (world: World, name: string) => world.declare(name));
Given('the pool {string} whose engine {manner}', (world: World, name: string, manner: string) => world.declare(name, manners[manner]));
Given('the pool {string} with', (world: World, name: string, table: Table) => world.declare(name, valuesOf(table)));

Given('the pool {string} is ready', async (world: World, name: string) => {
  if (!world.declared.has(name)) await world.declare(name);
  await (await world.daemon()).ready(world.id(name));
});
Given('the pool {string} is ready, whose engine {manner}', async (world: World, name: string, manner: string) => {
  await world.declare(name, manners[manner]);
  const [daemon, id] = [await world.daemon(), world.id(name)];
  // It may not stay so for long.
  await until(`${name} to have become ready`, async () => (await daemon.events(id)).some(({ to }) => to.startsWith('ready')), 20_000);
});

/** So that its next engine has to wait for the one before. */
const onePort = async (world: World, name: string, manner: string | null = null): Promise<void> => {
  const { first } = await freePorts(1);
  await world.declare(name, { ...(manner === null ? {} : manners[manner]), ports: [first] });
  await (await world.daemon()).ready(world.id(name));
};
Given('the pool {string} is ready on its one port', (world: World, name: string) => onePort(world, name));
Given('the pool {string} is ready on its one port, whose engine {manner}', onePort);

Then('the pool {string} becomes {state}', async (world: World, name: string, state: string) => {
  const daemon = await world.daemon();
  await until(`${name} to be known`, async () => (await daemon.ask('GET', `/v2/pools/${world.id(name)}/status`)).status === 200);
  await daemon.sees(world.id(name), state, (pool) => `${pool.state}.${pool.substate}`.startsWith(state));
});

Then('the pool {string} becomes {state} because of {reason}', async (world: World, name: string, state: string, code: string) => {
  const daemon = await world.daemon();
  const seen = await daemon.sees(
    world.id(name),
    `${state} (${code})`,
    (pool) => `${pool.state}.${pool.substate}` === state && pool.reason?.code === code,
  );
  expect(seen.ready).toBe(false);
});

Then('the pool {string} becomes draining because of its health', async (world: World, name: string) => {
  const daemon = await world.daemon();
  await daemon.sees(
    world.id(name),
    'draining for its health',
    ({ state, reason }) => state === 'draining' && /^(health_failed|wedged)$/.test(reason?.code ?? ''),
  );
});

Then('the GPUs of pool {string} are named by UUID', async (world: World, name: string) => {
  const { gpus } = await (await world.daemon()).pool(world.id(name));
  expect(gpus.length).toBeGreaterThan(0);
  for (const { uuid } of gpus) expect(uuid).toMatch(/^GPU-[0-9a-f-]{36}$/);
});

Then('the pool {string} leaves ready within {int} ms', async (world: World, name: string, ms: number) => {
  await (await world.daemon()).sees(world.id(name), 'out of ready', ({ ready }) => !ready, ms);
});

Then('the pool {string} shows', async (world: World, name: string, table: Table) => {
  expect(await (await world.daemon()).pool(world.id(name))).toMatchObject(valuesOf(table));
});

Then('the pool {string} comes to show', async (world: World, name: string, table: Table) => {
  const daemon = await world.daemon();
  const wanted = valuesOf(table);
  const fits = (pool: object) => Object.entries(wanted).every(([key, value]) => JSON.stringify(Reflect.get(pool, key)) === JSON.stringify(value));
  await daemon.sees(world.id(name), JSON.stringify(wanted), fits);
});

Then('the reason of pool {string} says {string}', async (world: World, name: string, words: string) => {
  const { reason, last_error } = await (await world.daemon()).pool(world.id(name));
  expect(`${reason?.message} ${last_error?.message}`).toContain(words);
});

Then('the last error of pool {string} is {reason}', async (world: World, name: string, code: string) => {
  expect(await (await world.daemon()).pool(world.id(name))).toMatchObject({ last_error: { code } });
});

Then('there is no pool {string} any more', async (world: World, name: string) => {
  const daemon = await world.daemon();
  await until(`${name} to be gone`, async () => (await daemon.ask('GET', `/v2/pools/${world.id(name)}/status`)).status === 404);
});

Then('the metric of forced drains of pool {string} is {int}', async (world: World, name: string, count: number) => {
  const daemon = await world.daemon();
  const line = new RegExp(`^pool_drain_forced_total\\{[^}]*pool_id="${world.id(name)}"`);
  expect((await daemon.metric(line)) ?? 0).toBe(count);
});

Then('a drain of pool {string} was timed', async (world: World, name: string) => {
  const daemon = await world.daemon();
  const line = new RegExp(`^pool_drain_duration_seconds_count\\{[^}]*pool_id="${world.id(name)}"`);
  await until('the drain to be timed', async () => (await daemon.metric(line)) === 1);
});

When('the pools file no longer has the pool {string}', async (world: World, name: string) => {
  world.declared.delete(name);
  await world.writePools();
});

When('the pool {string} of the pools file gets', async (world: World, name: string, table: Table) => {
  world.declared.set(name, { ...world.house.stub(world.id(name)), ...valuesOf(table) });
  await world.writePools();
});

Then('the daemon logs that the pools file is not valid', async (world: World) => {
  const daemon = await world.daemon();
  await until('a line about the pools file', () => daemon.log().some((line) => line['level'] !== 'info' && JSON.stringify(line).includes('slots')));
});
