/** Starts that are refused, and requests that are. */
import { request } from 'node:http';
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { findNvidiaDisplays } from '../../../src/gpu/pci.ts';
import type { Ended } from '../../kit/daemon.ts';
import type { Table } from './table.ts';
import type { World } from './world.ts';

const ends = new WeakMap<World, Ended>();
const token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';

Given('this machine has no NVIDIA GPU', async (world: World) => {
  if ((await findNvidiaDisplays()).nvidiaDisplays.length > 0) world.context.skip('this machine has an NVIDIA GPU');
});
Given('the pools file says', (world: World, text: { toString(): string }) => world.house.declare(text.toString()));

When('the daemon is started in vain', (world: World) => refuse(world, {}));
When('the daemon is started in vain with', (world: World, table: Table) => refuse(world, table.rowsHash()));
When('another daemon is started on the same state directory', async (world: World) => {
  await world.daemon();
  await refuse(world, {});
});

Then('it exits with {int}', (world: World, code: number) => expect(ended(world).code, ended(world).stderr).toBe(code));
Then('it says', (world: World, table: Table) => {
  for (const [words] of table.raw()) expect(ended(world).stderr).toContain(words);
});
Then('it names the daemon that is there', async (world: World) => {
  expect(ended(world).stderr).toContain(`pid ${(await world.daemon()).pid} `);
});
Then('it says so in {int} line(s)', (world: World, lines: number) => expect(ended(world).stderr.trim().split('\n').length).toBe(lines));

Given('a node of its own with a token', (world: World) => world.build({ LLORCH_API_TOKEN: token }));

When('a request is sent', (world: World, table: Table) => send(world, table.rowsHash()));
When('a request is sent with the token', (world: World, table: Table) => send(world, { ...table.rowsHash(), authorization: `Bearer ${token}` }));
When('a body of {int} bytes is sent', (world: World, bytes: number) =>
  send(world, { method: 'POST', path: '/v2/pools', 'content-type': 'application/json', body: `{"id":"${'a'.repeat(bytes)}"}` }),
);
Then('the log of the daemon does not hold the token', async (world: World) => {
  expect(JSON.stringify((await world.daemon()).log())).not.toContain(token);
});

const refuse = async (world: World, env: Readonly<Record<string, string>>): Promise<void> => {
  ends.set(world, await world.house.refused(env));
};
const ended = (world: World): Ended => {
  const end = ends.get(world);
  if (end === undefined) throw new Error('no start was refused yet');
  return end;
};

/** Headers that `fetch` would not send as they are. */
const send = async (world: World, { method = 'GET', path = '/', body, ...headers }: Readonly<Record<string, string | undefined>>): Promise<void> => {
  const { url } = await world.daemon();
  const sent = Promise.withResolvers<void>();
  const asked = request(url + path, { method, headers: defined(headers) }, (response) => {
    let text = '';
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    response.on('end', () => {
      world.answer = { status: response.statusCode ?? 0, body: JSON.parse(text), headers: new Headers(response.headers as Record<string, string>) };
      sent.resolve();
    });
  });
  // The server may answer and close before it has read everything.
  asked.on('error', (error) => (world.answer === null ? sent.reject(error) : sent.resolve()));
  asked.end(body === '' ? undefined : body);
  await sent.promise;
};

const defined = (headers: Record<string, string | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
