/** Engines as processes: killed, busy, logging, recorded. */
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { type Streaming, stream } from '../../kit/completions.ts';
import { until } from '../../kit/until.ts';
import type { World } from './world.ts';

/** On a busy machine a process takes seconds to begin. */
const slowly = 15_000;
const requests = new WeakMap<World, Streaming[]>();

const runOf = (world: World, name: string) => {
  const run = world.house.run(world.id(name));
  if (run === null) throw new Error(`expected a run record of ${name}, found none`);
  return run;
};

When('the engine of pool {string} is killed', (world: World, name: string) => void process.kill(runOf(world, name).pid, 'SIGKILL'));
When('the engine of pool {string} is told SIGTERM by somebody', (world: World, name: string) => void process.kill(runOf(world, name).pid, 'SIGTERM'));
When('the engine of pool {string} is frozen', (world: World, name: string) => {
  const { pid } = runOf(world, name);
  process.kill(pid, 'SIGSTOP');
});

Given('{int} request(s) of {int} tokens is/are under way at pool {string}', async (world: World, count: number, tokens: number, name: string) => {
  const { endpoint } = await (await world.daemon()).pool(world.id(name));
  const begun = Array.from({ length: count }, () => stream(endpoint ?? '', tokens));
  requests.set(world, begun);
  world.context.onTestFinished(() => {
    for (const request of begun) request.leave();
  });
});

When('the clients go away', (world: World) => {
  for (const request of requests.get(world) ?? []) request.leave();
});

Then('every request comes to its end', async (world: World) => {
  for (const request of requests.get(world) ?? []) expect(await request.done).toMatchObject({ whole: true, problem: null });
});

Then('the request is cut', async (world: World) => {
  for (const request of requests.get(world) ?? []) expect(await request.done).toMatchObject({ whole: false });
});

Then('the pool {string} has a run record, and is not yet healthy', async (world: World, name: string) => {
  const run = await until('a run record', () => world.house.run(world.id(name)), slowly);
  await until('the engine to say that it loads', async () => (await fetch(`${run.endpoint}/health`).catch(() => null))?.status === 503, slowly);
  expect(await (await world.daemon()).pool(world.id(name))).toMatchObject({ live: true, ready: false });
});

Then('the pool {string} has no run record', (world: World, name: string) => {
  expect(world.house.run(world.id(name))).toBeNull();
});

Then('the pools {string} and {string} have their own process, port and log', async (world: World, one: string, other: string) => {
  const [first, second] = [runOf(world, one), runOf(world, other)];
  expect(first.pid).not.toBe(second.pid);
  expect(first.port).not.toBe(second.port);
  for (const [name, run] of [
    [one, first],
    [other, second],
  ] as const) {
    expect(await logOf(world, name)).toContain(`listening on http://127.0.0.1:${run.port}`);
  }
  expect(await logOf(world, one)).not.toContain(`:${second.port}`);
});

Then('the log of pool {string} has {string}', async (world: World, name: string, words: string) => {
  await until(`${words} in the log`, async () => (await logOf(world, name)).includes(words));
});

Then('the log of pool {string} has {string} exactly once', async (world: World, name: string, words: string) => {
  await until(`${words} in the log`, async () => (await logOf(world, name)).includes(words));
  expect((await logOf(world, name)).split(words).length - 1).toBe(1);
});

Then('the previous log of pool {string} has {string}', async (world: World, name: string, words: string) => {
  await until(`${words} in the previous log`, async () => (await logOf(world, name, '&run=previous')).includes(words));
});

Then('the daemon answers within {int} ms', async (world: World, ms: number) => {
  const daemon = await world.daemon();
  const begun = performance.now();
  expect((await daemon.ask('GET', '/v2/pools')).status).toBe(200);
  expect(performance.now() - begun).toBeLessThan(ms);
});

const logOf = async (world: World, name: string, more = ''): Promise<string> => {
  const response = await fetch(`${(await world.daemon()).url}/v2/pools/${world.id(name)}/logs?tail=1000${more}`);
  return response.text();
};
