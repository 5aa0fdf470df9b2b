/** Orders over HTTP, and what they are answered. */
import { Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { until } from '../../kit/until.ts';
import { type Table, valuesOf } from './table.ts';
import type { World } from './world.ts';

const order = (world: World, name: string, what: string, body?: unknown) => world.ask('POST', `/v2/pools/${world.id(name)}/${what}`, body);

When('the pool {string} is ordered to {word}', (world: World, name: string, what: string) => order(world, name, wordOf(what)));
When('the pool {string} is ordered to drain within {int} ms', (world: World, name: string, ms: number) =>
  order(world, name, 'drain', { deadline_ms: ms }),
);
When('the pool {string} is ordered to reload with', (world: World, name: string, table: Table) => order(world, name, 'reload', valuesOf(table)));
When('the pool {string} is ordered to start with', (world: World, name: string, table: Table) => order(world, name, 'preload', valuesOf(table)));
When('the pool {string} is removed', (world: World, name: string) => world.ask('DELETE', `/v2/pools/${world.id(name)}`));

When('a pool is declared with', (world: World, table: Table) => world.ask('POST', '/v2/pools', valuesOf(table)));
When('the pool {string} is declared once more', (world: World, name: string) => world.ask('POST', '/v2/pools', world.declared.get(name)));

When('somebody asks for {string}', (world: World, path: string) => world.ask('GET', path));
When('somebody asks for the status of pool {string}', (world: World, name: string) => world.ask('GET', `/v2/pools/${world.id(name)}/status`));
When('an orchestratord asks for the status of pool {string}', (world: World, name: string) =>
  world.ask('POST', `/pools/${world.id(name)}/status`, {}),
);

Then('it is accepted', (world: World) => expect(world.answered.status, JSON.stringify(world.answered.body)).toBe(202));
Then('the answer is {int}', (world: World, status: number) => expect(world.answered.status, JSON.stringify(world.answered.body)).toBe(status));
Then('it is refused with {int} {word}', (world: World, status: number, code: string) => {
  expect(world.answered).toMatchObject({ status, body: { code } });
  expect(world.answered.body['message']).toBeTypeOf('string');
});
Then('the answer has', (world: World, table: Table) => expect(world.answered.body).toMatchObject(valuesOf(table)));
Then('the answer names {string}', (world: World, words: string) => expect(JSON.stringify(world.answered.body)).toContain(words));
Then('the answer says when to try again', (world: World) => {
  expect(Number(world.answered.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(world.answered.body).toMatchObject({ retryable: true });
});
Then('the answer comes from version {string} of the package', async (world: World, _name: string) => {
  const { default: manifest } = await import('../../../package.json', { with: { type: 'json' } });
  expect(world.answered.body).toMatchObject({ version: manifest.version });
});

Then('the reload of pool {string} ends as {word}', async (world: World, name: string, outcome: string) => {
  const daemon = await world.daemon();
  await until(`the outcome ${outcome}`, async () => (await daemon.events(world.id(name))).find((event) => event.outcome === outcome), 15_000);
});

Then('within the events of pool {string} come, in order', async (world: World, name: string, table: Table) => {
  const wanted = table.raw().map(([state]) => state);
  const daemon = await world.daemon();
  await until(`the events ${wanted.join(', ')}`, async () => {
    const events = [...(await daemon.events(world.id(name)))].reverse();
    let at = 0;
    for (const { to } of events) if (to.startsWith(wanted[at] ?? '')) at = Math.min(at + 1, wanted.length);
    return at === wanted.length;
  });
});

const wordOf = (what: string): string => (what === 'start' ? 'preload' : what);
