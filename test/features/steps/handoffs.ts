/** Handoff files of engines that somebody else started, and those of the daemon itself. */
import { existsSync } from 'node:fs';
import { readdir, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { until } from '../../kit/until.ts';
import { type Table, valuesOf } from './table.ts';
import type { World } from './world.ts';

const endpoints = new WeakMap<World, string>();

/** Answers to health as a llama-server with four slots does. */
Given('an engine that somebody else runs', async (world: World) => {
  const server = createServer(({ url }, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(url === '/slots' ? [0, 1, 2, 3].map((id) => ({ id, is_processing: false })) : { status: 'ok' }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  world.context.onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });
  endpoints.set(world, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

Given('an engine that nobody runs', (world: World) => void endpoints.set(world, 'http://127.0.0.1:9'));
Given('an engine on another machine', (world: World) => void endpoints.set(world, 'http://192.0.2.1:8081'));

When('its handoff file for pool {string} says', (world: World, name: string, table: Table) =>
  write(world, name, JSON.stringify({ pool_id: world.id(name), endpoint: endpoints.get(world), ...valuesOf(table) })),
);
When('its handoff file for pool {string} comes', (world: World, name: string) =>
  write(
    world,
    name,
    JSON.stringify({ pool_id: world.id(name), engine: 'llamacpp', endpoint: endpoints.get(world), gpu_device: 0, slots: 4, ready: true }),
  ),
);
When('a handoff file for pool {string} holds {string}', (world: World, name: string, text: string) => write(world, name, text));

Then('the handoff file of pool {string} is rejected with a reason beside it', async (world: World, name: string) => {
  const rejected = join(world.house.runtimeDir, 'rejected');
  await until('the file to be moved aside', () => existsSync(rejected));
  const beside = await until('two files', async () => {
    const names = (await readdir(rejected)).filter((file) => file.startsWith(world.id(name)));
    return names.length >= 2 ? names : null;
  });
  expect(beside.length).toBe(2);
});

Then('the handoff file of pool {string} is consumed', async (world: World, name: string) => {
  await until('the file to be consumed', () => !existsSync(fileOf(world, name)));
});

Then('no handoff file of pool {string} has been written', (world: World, name: string) => {
  expect(existsSync(fileOf(world, name))).toBe(false);
});

Then('handoff files of pool {string} were counted as {word}', async (world: World, name: string, outcome: string) => {
  const daemon = await world.daemon();
  const line = new RegExp(`^pool_handoff_files_processed_total\\{(?=[^}]*pool_id="${world.id(name)}")(?=[^}]*outcome="${outcome}")`);
  await until(`a file counted as ${outcome}`, async () => (await daemon.metric(line)) ?? 0);
});

const fileOf = (world: World, name: string): string => join(world.house.runtimeDir, `${world.id(name)}-r0.json`);

/** As writers should: to another name, then renamed. */
const write = async (world: World, name: string, text: string): Promise<void> => {
  await world.daemon();
  const file = fileOf(world, name);
  await writeFile(`${file}~`, text);
  await rename(`${file}~`, file);
};
