/** A node: begun, killed, begun again, ended in order. */
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { isFree } from '../../kit/free-ports.ts';
import { keep, recall } from './kept.ts';
import type { World } from './world.ts';

Given('a node', (world: World) => world.lodge());
Given('a node of its own', (world: World) => world.build());
Given('a node of its own with {int} simulated GPU(s) of {int} GiB', (world: World, count: number, size: number) =>
  world.build({ POOL_MANAGERD_GPU_SOURCE: `simulated:${count}x${size}GiB` }),
);
Given('a node of its own that takes its engines along when it ends', (world: World) => world.build({ POOL_MANAGERD_SHUTDOWN: 'drain' }));

When('the daemon starts', async (world: World) => {
  await world.start();
});

When('the daemon is killed', async (world: World) => {
  const { signal } = await (await world.daemon()).end('SIGKILL');
  expect(signal).toBe('SIGKILL');
});

When('the daemon is told to end', async (world: World) => {
  expect(await (await world.daemon()).end('SIGTERM')).toMatchObject({ code: 0 });
});

Then('no engine of the node is left', (world: World) => {
  expect(world.house.left()).toEqual([]);
});

Given('the engine of pool {string} is noted', (world: World, name: string) => keep(world, name, world.house.run(world.id(name))));

Then('the engine of pool {string} is still the same', (world: World, name: string) => {
  expect(recall(world, name)).not.toBeNull();
  expect(world.house.run(world.id(name))).toEqual(recall(world, name));
});

Then('the engine of pool {string} is another one', (world: World, name: string) => {
  expect(world.house.run(world.id(name))?.incarnation).not.toBe(recall(world, name)?.incarnation);
});

Then('the engine of pool {string} is gone, its port is free and its record removed', async (world: World, name: string) => {
  const run = recall(world, name);
  expect(world.house.run(world.id(name))).toBeNull();
  expect(world.house.left()).not.toContain(run?.pid);
  expect(await isFree(run?.port ?? 0)).toBe(true);
});
