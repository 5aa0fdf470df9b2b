/** What becomes of orders and of a changed file where engines, daemons and drains come in between. By the real charts, all of them. */
import { describe, expect, it } from 'vitest';
import type { PoolCommand } from '../../src/machines/events.ts';
import { freshRestart } from '../../src/machines/policies/restart.ts';
import type { BootPool, PoolMemory, PoolSpec } from '../../src/machines/vocabulary.ts';
import { card, gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { bootPool, tick } from '../kit/node-driver.ts';
import { because, proof } from '../kit/pool-words.ts';
import { wholeNode } from '../kit/whole-node.ts';

const specOf = (slots: number, facts: Partial<PoolSpec> = {}): PoolSpec => gpuSpec({ id: 'a', slots, ...facts });
const declarationOf = (slots: number, facts: Partial<PoolSpec> = {}) => ({ spec: specOf(slots, facts), specHash: `h${slots}` });
const reload = (slots: number, facts: Partial<PoolSpec> = {}): PoolCommand => ({
  type: 'pool.reload',
  ...declarationOf(slots, facts),
  operationId: `to-h${slots}`,
  ...tick(),
});
const memory = (facts: Partial<PoolMemory>): PoolMemory => ({
  version: 1,
  poolId: 'a',
  wanted: 'up',
  restart: freshRestart,
  phase: null,
  proof: null,
  drain: null,
  retry: null,
  ...facts,
});
const runs1 = { run: gpuRun({ poolId: 'a', ...declarationOf(1) }) };
/** Two slots were ordered over the API, of a pool of which the file says one. */
const ordered2 = { ...declarationOf(2), overrides: specOf(1), former: declarationOf(1) };
const pool = (facts: Partial<BootPool>): BootPool => bootPool({ poolId: 'a', ...declarationOf(1), ...facts });
const serving = () => wholeNode({ boot: [pool({})] });

type Whole = Awaited<ReturnType<typeof wholeNode>>;
const file = (node: Whole, slots: number) => node.send({ type: 'pools.configured', pools: [declarationOf(slots)], ...tick() });
const declared = (node: Whole) => node.entryOf('a')?.declared;
const later = async (node: Whole): Promise<void> => {
  for (let minutes = 0; minutes < 10; minutes += 1) await node.pass(60_000);
};

const drain = (): PoolCommand => ({ type: 'pool.drain', deadlineMs: null, ...tick() });
const filed = (node: Whole, ...pools: readonly ReturnType<typeof declarationOf>[]) => node.send({ type: 'pools.configured', pools, ...tick() });
const kept = (node: Whole) => node.notes.filter(({ type }) => type === 'pool.redeclared').at(-1);
const times = { timeouts: { ...gpuSpec().timeouts, drain_ms: 5 } };

describe('a daemon that dies while the old engine makes way', () => {
  const drain = { why: 'reload', deadlineMono: 1_000_000, bootId: 'boot' } as const;

  it.each(
    (['ordered', 'filed'] as const).flatMap((by) =>
      (['emptying', 'stopping', 'ready'] as const).flatMap((phase) => (['ours', 'gone'] as const).map((verdict) => [by, phase, verdict] as const)),
    ),
  )('leaves the next one something to go back to: %s, %s, %s', async (by, phase, verdict) => {
    const kept = memory({ phase, proof, drain: phase === 'ready' ? null : drain });
    const boot = [pool({ ...(by === 'ordered' ? ordered2 : declarationOf(2)), ...runs1, memory: kept })];
    const node = await wholeNode({ boot, fails: ({ slots }) => (slots === 2 ? 'model_missing' : null), verdict });
    await later(node);
    expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['ready.healthy', 'h1']);
    expect(declared(node)?.specHash).toBe(by === 'ordered' ? 'h1' : 'h2');
  });
});

it('an order is not taken back with one before it, whose rollback it takes the place of', async () => {
  const node = await serving();
  node.world.fails = ({ slots }) => (slots === 2 ? 'insufficient_host_memory' : slots === 1 ? 'download_unreachable' : null);
  await node.command('a', reload(2));
  await node.pass(2_000);
  expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['offline.backingOff', 'h1']);
  await node.command('a', reload(3));
  expect([node.where('a'), node.contextOf('a').specHash, declared(node)?.specHash]).toEqual(['ready.healthy', 'h3', 'h3']);
  expect(node.notes.at(-1)).toMatchObject({ type: 'pool.redeclared', spec: { slots: 3 }, overrides: { slots: 1 }, former: null });
});

describe('times that were ordered, which no engine has a part in,', () => {
  const recorded = { ...declarationOf(1, times), overrides: specOf(1), former: declarationOf(1) };

  it('stay ordered when a later order comes to nothing', async () => {
    const node = await serving();
    await node.command('a', reload(1, times));
    expect(node.notes.at(-1)).toMatchObject({ spec: times, former: null });
    node.world.fails = ({ slots }) => (slots === 2 ? 'model_missing' : null);
    await node.command('a', reload(2, times));
    await node.pass(2_000);
    expect(declared(node)).toMatchObject({ specHash: 'h1', spec: times });
  });

  it('are no reload that the next daemon goes on with', async () => {
    const down = await wholeNode({ boot: [pool({ ...recorded, memory: memory({ wanted: 'down' }) })] });
    expect([down.where('a'), down.contextOf('a').reload]).toEqual(['uninitialized.idle', null]);
    let tries = 0;
    const boot = [pool({ ...recorded, memory: memory({}) })];
    const node = await wholeNode({ boot, fails: () => (++tries <= 2 ? 'download_unreachable' : null) });
    expect(tries).toBeGreaterThan(0);
    await later(node);
    expect(node.where('a')).toBe('ready.healthy');
    expect(declared(node)?.spec).toMatchObject(times);
  });
});

it('an order whose daemon died before it was drained has no part in what a later one goes back to', async () => {
  const drain = { why: 'reload', deadlineMono: 1_000_000, bootId: 'boot' } as const;
  const boot = [pool({ ...ordered2, ...runs1, memory: memory({ wanted: 'down', phase: 'stopping', proof, drain }) })];
  const node = await wholeNode({ boot, fails: ({ slots }) => (slots === 3 ? 'model_missing' : null) });
  expect(node.where('a')).toBe('offline.stopped');
  await node.command('a', { type: 'pool.start', ...tick() });
  expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['ready.healthy', 'h2']);
  await node.command('a', reload(3));
  await node.pass(3_000);
  expect(declared(node)?.specHash).toBe('h2');
});

describe('a changed file', () => {
  it('is not lost with the engine that rose for it when the pool is drained', async () => {
    const node = await serving();
    node.world.fails = ({ slots }) => (slots === 2 ? 'download_unreachable' : null);
    await Promise.all([file(node, 2), node.command('a', drain())]);
    await node.pass(2_000);
    expect(node.where('a')).toBe('offline.stopped');
    node.world.fails = () => null;
    await node.command('a', { type: 'pool.start', ...tick() });
    expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['ready.healthy', 'h2']);
  });

  it('of a pool that is drained, and resumed, comes up beside what serves', async () => {
    const node = await serving();
    node.world.isBusy = true;
    await node.command('a', drain());
    await file(node, 2);
    expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['draining.emptying.waiting', 'h1']);
    await node.command('a', { type: 'pool.resume', ...tick() });
    expect(node.entryOf('a--b')).toMatchObject({ role: 'serving', declared: { specHash: 'h2' } });
    expect([node.where('a--b'), node.contextOf('a--b').specHash]).toEqual(['ready.healthy', 'h2']);
  });

  it('that was rolled back is not tried again by a drain and a start', async () => {
    const node = await serving();
    node.world.fails = ({ slots }) => (slots === 2 ? 'model_missing' : null);
    await file(node, 2);
    await node.pass(2_000);
    node.world.fails = () => null;
    await node.command('a', drain());
    await node.pass(2_000);
    await node.command('a', { type: 'pool.start', ...tick() });
    expect([node.where('a'), node.contextOf('a').specHash, declared(node)?.specHash]).toEqual(['ready.healthy', 'h1', 'h2']);
  });
});

it('a pool that was moved to another card comes up there, though the old one falls off first', async () => {
  const node = await serving();
  node.world.fails = ({ devices }) => (devices[0] === 0 ? 'download_failed' : null);
  const exit = { code: 1, signal: null };
  await node.tell('a', { type: 'engine.gone', exit, ...tick() }, { type: 'engine.exited', exit, cause: because('cuda_error'), tail: [], ...tick() });
  expect(node.where('a')).toMatch(/^offline/);
  const order = node.command('a', reload(2, { devices: [1] }));
  await Promise.all([order, node.discover(card(1))]);
  await later(node);
  expect([node.where('a'), node.contextOf('a').gpus]).toEqual(['ready.healthy', [{ index: 1, uuid: 'GPU-1' }]]);
});

it('an order that was rolled back behind a rolled-back file is no declaration', async () => {
  const node = await serving();
  node.world.fails = ({ slots }) => (slots > 1 ? 'model_missing' : null);
  await file(node, 2);
  await later(node);
  await node.command('a', reload(3));
  await later(node);
  expect([node.contextOf('a').specHash, declared(node)?.specHash, node.entryOf('a')?.overrides]).toEqual(['h1', 'h2', null]);
  expect(kept(node)).toMatchObject({ spec: { slots: 2 }, overrides: null });
});

it('an order behind a rolled-back file goes with its daemon, and is no declaration either', async () => {
  const boot = [pool({ ...declarationOf(3), overrides: specOf(2), former: declarationOf(2), ...runs1, memory: memory({ phase: 'ready', proof }) })];
  const node = await wholeNode({ boot, fails: ({ slots }) => (slots > 1 ? 'model_missing' : null) });
  await later(node);
  expect([node.contextOf('a').specHash, declared(node)?.specHash, node.entryOf('a')?.overrides]).toEqual(['h1', 'h2', null]);
});

it('times of the file, taken before an order whose daemon died, are not undone as if ordered', async () => {
  // run.spec has the times of its start; the file said others since, then two slots were ordered.
  const boot = [
    pool({ ...declarationOf(2), overrides: specOf(1, times), former: declarationOf(1, times), ...runs1, memory: memory({ phase: 'ready', proof }) }),
  ];
  const node = await wholeNode({ boot, fails: ({ slots }) => (slots > 1 ? 'model_missing' : null) });
  await later(node);
  expect(declared(node)).toMatchObject({ specHash: 'h1', spec: times });
  expect(node.entryOf('a')?.overrides).toBe(null);
  expect(node.contextOf('a').spec).toMatchObject(times);
});

it('a pool the file dropped and declared again is not down for good where the daemon restarts while it drains', async () => {
  const drained = memory({ wanted: 'down', phase: 'emptying', proof, drain: { why: 'remove', deadlineMono: 1_000_000, bootId: 'boot' } });
  const node = await wholeNode({ boot: [pool({ ...runs1, memory: drained })] });
  await later(node);
  expect(node.where('a')).toBe('ready.healthy');
});

it('the file goes back to what runs, with other times: they hold', async () => {
  const node = await serving();
  node.world.fails = ({ slots }) => (slots === 2 ? 'download_unreachable' : null);
  node.world.isBusy = true;
  await Promise.all([filed(node, declarationOf(2)), filed(node, declarationOf(1, times))]);
  await later(node);
  expect(declared(node)).toMatchObject({ specHash: 'h1', spec: times });
  expect(node.contextOf('a').spec).toMatchObject(times);
});

it('a file that goes back to what runs behind a rollback has its times hold, too', async () => {
  const node = await serving();
  node.world.fails = ({ slots }) => (slots === 2 ? 'model_missing' : null);
  await filed(node, declarationOf(2));
  await later(node);
  await filed(node, declarationOf(1, times));
  expect(node.contextOf('a').spec).toMatchObject(times);
});

it('times of a spec that rises hold where it comes up in place instead', async () => {
  const node = await serving();
  node.world.isBusy = true;
  node.world.fails = ({ slots }) => (slots === 2 ? 'insufficient_host_memory' : null);
  await Promise.all([filed(node, declarationOf(2)), filed(node, declarationOf(2, times))]);
  expect(node.where('a')).toMatch(/^draining/);
  node.world.fails = () => null;
  await node.pass(61_000);
  await later(node);
  expect([node.contextOf('a').specHash, declared(node)?.specHash]).toEqual(['h2', 'h2']);
  expect(node.contextOf('a').spec).toMatchObject(times);
});

it('times that are ordered while an engine starts wait for no outcome, and stay when a later order is rolled back', async () => {
  const node = await serving();
  await node.command('a', drain());
  await later(node);
  await Promise.all([node.command('a', { type: 'pool.start', ...tick() }), node.command('a', reload(1, times))]);
  expect(node.where('a')).toBe('ready.healthy');
  expect.soft(node.entryOf('a')?.former).toBe(null);
  node.world.isBusy = true;
  await node.command('a', drain());
  node.world.fails = ({ slots }) => (slots === 2 ? 'model_missing' : null);
  await node.command('a', reload(2, times));
  node.world.isBusy = false;
  await later(node);
  expect(node.where('a')).toBe('ready.healthy');
  expect(declared(node)).toMatchObject({ specHash: 'h1', spec: times });
  expect(kept(node)).toMatchObject({ spec: times });
});

it('a pool rolled back to its own card does not wait for the one it was to move to', async () => {
  const node = await serving();
  node.world.isBusy = true;
  node.world.fails = ({ slots }) => (slots === 2 ? 'insufficient_host_memory' : null);
  await filed(node, declarationOf(2, { devices: [1] }));
  expect(node.where('a')).toMatch(/^draining/);
  let [lost, tries] = [false, 0];
  node.world.fails = ({ slots }) => {
    if (slots === 1) return tries++ < 1 ? 'download_unreachable' : null;
    if (!lost) void node.discover(card(0));
    lost = true;
    return 'model_missing';
  };
  await node.pass(61_000);
  await node.discover(card(0));
  await later(node);
  expect([node.where('a'), node.contextOf('a').specHash]).toEqual(['ready.healthy', 'h1']);
});

it('a file changed while a drain took the place of a reload in place comes up after a resume', async () => {
  const node = await serving();
  node.world.isBusy = true;
  node.world.fails = ({ slots }) => (slots === 2 ? 'insufficient_host_memory' : null);
  await node.command('a', reload(2));
  await node.command('a', drain());
  expect(node.where('a')).toMatch(/^draining.emptying/);
  node.world.fails = () => null;
  await file(node, 3);
  await node.command('a', { type: 'pool.resume', ...tick() });
  await later(node);
  expect([node.entryOf('a--b')?.role, node.contextOf('a--b').specHash]).toEqual(['serving', 'h3']);
});

it('the file goes back to what runs, with other times, while it is drained: they hold after a resume', async () => {
  const node = await serving();
  node.world.isBusy = true;
  await node.command('a', drain());
  await filed(node, declarationOf(3));
  await filed(node, declarationOf(1, times));
  await node.command('a', { type: 'pool.resume', ...tick() });
  await later(node);
  expect(node.contextOf('a').specHash).toBe('h1');
  expect(node.contextOf('a').spec).toMatchObject(times);
});

it('an order in place that the end of its daemon cut off keeps what to go back to', async () => {
  const node = await serving();
  node.world.isBusy = true;
  node.world.fails = ({ slots }) => (slots === 2 ? 'insufficient_host_memory' : null);
  await node.command('a', reload(2));
  expect(kept(node)).toMatchObject({ spec: { slots: 2 }, former: { slots: 1 } });
  await node.send({ type: 'node.stop', mode: 'drain', ...tick() });
  await node.pass(61_000);
  expect(node.where('a')).toBe('offline.stopped');
  expect(kept(node)).toMatchObject({ spec: { slots: 2 }, former: { slots: 1 } });
});

it('restarts are counted on from engine to engine, however often one takes the place of another', async () => {
  const node = await wholeNode({ boot: [pool({ memory: memory({ restart: { ...freshRestart, count: 2 } }) })] });
  for (const slots of [2, 3, 2]) {
    await node.command('a', reload(slots));
    await later(node);
  }
  const berth = node.entryOf('a--b')?.role === 'serving' ? 'a--b' : 'a';
  expect([node.where(berth), node.contextOf(berth).specHash, node.contextOf(berth).restart.count]).toEqual(['ready.healthy', 'h2', 2]);
});
