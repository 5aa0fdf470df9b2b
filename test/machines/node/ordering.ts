/** What is ordered over the API for a pool that the pools file declares: how long it counts, and what is kept of it on disk. */
import { describe, expect, it } from 'vitest';
import type { ReloadOutcome } from '../../../src/machines/events.ts';
import { freshRestart } from '../../../src/machines/policies/restart.ts';
import type { PoolSpec } from '../../../src/machines/vocabulary.ts';
import { gpuRun, gpuSpec } from '../../kit/gpu-facts.ts';
import { bootPool, found, type NodeDriver, tick } from '../../kit/node-driver.ts';
import { drive, report, serving } from './story.ts';

const specOf = (slots: number, facts: Partial<PoolSpec> = {}): PoolSpec => gpuSpec({ id: 'a', slots, ...facts });
const filed = specOf(1);
const declarationOf = (spec: PoolSpec) => ({ spec, specHash: `h${spec.slots}` });

const order = (node: NodeDriver, spec: PoolSpec): void =>
  node.send({
    type: 'pool.commanded',
    poolId: 'a',
    command: { type: 'pool.reload', ...declarationOf(spec), operationId: 'o', ...tick() },
    ...tick(),
  });
const configure = (node: NodeDriver, spec: PoolSpec): void => node.send({ type: 'pools.configured', pools: [declarationOf(spec)], ...tick() });
const settle = (node: NodeDriver, berth: string, outcome: ReloadOutcome): void =>
  node.pool(berth).say({ type: 'reload.settled', poolId: berth, operationId: 'o', outcome, cause: null, stamp: tick() });
const state = (node: NodeDriver, berth: string, slots: number, to: 'ready' | 'offline' = 'ready'): void =>
  node.pool(berth).say(report(berth, to, { specHash: `h${slots}` }));
/** What is to be on disk of it. */
const kept = (node: NodeDriver) =>
  node.notes.flatMap((note) =>
    note.type === 'pool.redeclared' ? [[note.spec.slots, note.overrides?.slots ?? null, note.former?.slots ?? null]] : [],
  );
const slotsOf = (node: NodeDriver, berth = 'a') => {
  const { declared, overrides, former } = node.context().roster[berth] ?? {};
  return [declared?.spec.slots, overrides?.slots ?? null, former?.spec.slots ?? null];
};

const ready = async (facts: Parameters<typeof bootPool>[0] = {}): Promise<NodeDriver> => {
  const node = await serving({ poolId: 'a', spec: filed, ...facts });
  node.discover();
  state(node, 'a', 1);
  return node;
};

const overridden = async (): Promise<NodeDriver> => {
  const node = await ready();
  order(node, specOf(2));
  state(node, 'a--b', 2);
  settle(node, 'a--b', 'reloaded');
  node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
  return node;
};

describe('an order over the API for a pool of the pools file', () => {
  it('is kept at once, with what it overrides, and counts once it has come about', async () => {
    const node = await ready();
    order(node, specOf(2));
    expect(kept(node)).toEqual([[2, 1, 1]]);
    expect(slotsOf(node)).toEqual([2, 1, 1]);
    state(node, 'a--b', 2);
    settle(node, 'a--b', 'reloaded');
    expect(slotsOf(node, 'a--b')).toEqual([2, 1, null]);
    expect(kept(node).at(-1)).toEqual([2, 1, null]);
  });

  it('is not touched by a pools file that says of the pool what it said before', async () => {
    const node = await overridden();
    node.pool('a--b').heard.length = 0;
    configure(node, specOf(1));
    expect(node.heard('a--b')).toEqual([]);
    expect(slotsOf(node, 'a--b')).toEqual([2, 1, null]);
  });

  it.each([
    ['another engine', specOf(3), [3, null]],
    ['other times only', specOf(1, { timeouts: { ...filed.timeouts, drain_ms: 1 } }), [1, null]],
  ])('ends when the file says something else of the pool: %s', async (_, spec, expected) => {
    const node = await overridden();
    configure(node, spec);
    expect(slotsOf(node, 'a--b')).toEqual([expected[0], null, null]);
    expect(node.context().roster['a']).toMatchObject({ role: 'rising', order: { spec } });
    expect(kept(node).at(-1)?.slice(1)).toEqual([null, null]);
  });

  it('ends without a new engine when the file comes to say what was ordered', async () => {
    const node = await overridden();
    configure(node, specOf(2));
    expect(node.heard('a--b')).toEqual(['pool.succeeded']);
    expect(node.context().roster['a']).toBeUndefined();
    expect(slotsOf(node, 'a--b')).toEqual([2, null, null]);
    expect(kept(node).at(-1)).toEqual([2, null, null]);
  });

  it('ends when what the file says is ordered', async () => {
    const node = await overridden();
    order(node, specOf(1));
    expect(slotsOf(node, 'a--b')).toEqual([1, null, 2]);
    expect(kept(node).at(-1)).toEqual([1, null, 2]);
  });

  it.each(['rolled_back', 'given_up'] as const)('is taken back when the engine beside the old one was %s', async (outcome) => {
    const node = await ready();
    order(node, specOf(2));
    settle(node, 'a--b', outcome);
    expect(slotsOf(node)).toEqual([1, null, null]);
    expect(kept(node).at(-1)).toEqual([1, null, null]);
  });

  it('is taken back when the pool went back to its old spec in place', async () => {
    const node = await ready();
    state(node, 'a', 1, 'offline');
    order(node, specOf(2));
    expect(slotsOf(node)).toEqual([2, 1, 1]);
    state(node, 'a', 1);
    settle(node, 'a', 'rolled_back');
    expect(slotsOf(node)).toEqual([1, null, null]);
  });

  it('stays where the pool came to rest with it', async () => {
    const node = await ready();
    state(node, 'a', 1, 'offline');
    order(node, specOf(2));
    state(node, 'a', 2, 'offline');
    settle(node, 'a', 'given_up');
    expect(slotsOf(node)).toEqual([2, 1, null]);
    expect(kept(node).at(-1)).toEqual([2, 1, null]);
  });

  it('is taken back by a drain before the new engine was ready', async () => {
    const node = await ready();
    order(node, specOf(2));
    node.send({ type: 'pool.commanded', poolId: 'a', command: { type: 'pool.drain', deadlineMs: null, ...tick() }, ...tick() });
    expect(slotsOf(node)).toEqual([1, null, null]);
    expect(kept(node).at(-1)).toEqual([1, null, null]);
  });

  it('goes back to the order before it where that had come about', async () => {
    const node = await overridden();
    order(node, specOf(3));
    settle(node, 'a', 'rolled_back');
    expect(slotsOf(node, 'a--b')).toEqual([2, 1, null]);
    expect(kept(node).slice(-2)).toEqual([
      [3, 1, 2],
      [2, 1, null],
    ]);
  });

  it('whose daemon died with all engines is tried by the next, which knows what to go back to', async () => {
    const node = drive({ boot: found([bootPool({ poolId: 'a', ...declarationOf(specOf(2)), overrides: filed, former: declarationOf(filed) })]) });
    await node.booted();
    expect(node.inputs.at(-1)).toMatchObject({ specHash: 'h2', reloading: { operationId: 'declared-h2', previous: { specHash: 'h1' } } });
    expect(slotsOf(node)).toEqual([2, 1, 1]);
    state(node, 'a', 1);
    settle(node, 'a', 'rolled_back');
    expect(slotsOf(node)).toEqual([1, null, null]);
    expect(kept(node).at(-1)).toEqual([1, null, null]);
  });

  it('that had come about, though that was not written any more, has nothing to go back to', async () => {
    const run = gpuRun({ poolId: 'a', spec: specOf(2), specHash: 'h2' });
    const proof = { residency: 'proven', evidence: [], slotsTotal: 2, engineVersion: null, modelsAvailable: [], firstTokenMs: 1 } as const;
    const memory = { version: 1, poolId: 'a', wanted: 'up', restart: freshRestart, phase: 'ready', proof, drain: null, retry: null } as const;
    const pool = { poolId: 'a', ...declarationOf(specOf(2)), overrides: filed, former: declarationOf(filed), run, memory };
    const node = drive({ boot: found([bootPool(pool)]) });
    await node.booted();
    expect(node.inputs.at(-1)).toMatchObject({ reloading: null });
    expect(slotsOf(node)).toEqual([2, 1, null]);
    expect(kept(node)).toEqual([[2, 1, null]]);
  });

  it('of which nothing is known but its record is tried by the next daemon, and taken back where it does not come about', async () => {
    const pool = { poolId: 'a', ...declarationOf(specOf(2)), overrides: filed, run: gpuRun({ poolId: 'a', spec: filed, specHash: 'h1' }) };
    const node = drive({ boot: found([bootPool(pool)]) });
    await node.booted();
    expect(slotsOf(node)).toEqual([2, 1, 1]);
    node.discover();
    state(node, 'a', 1);
    node.pool('a').say({ type: 'adoption.settled', poolId: 'a' });
    state(node, 'a', 1);
    expect(node.context().roster['a--b']).toMatchObject({ role: 'rising', order: { spec: { slots: 2 } } });
    settle(node, 'a--b', 'given_up');
    expect(slotsOf(node)).toEqual([1, null, null]);
  });
});

describe('an order over the API for a pool that was declared there', () => {
  it('is what is declared of it from now on, until it has come to nothing', async () => {
    const node = await ready({ origin: 'api' });
    order(node, specOf(2));
    expect(node.notes.at(-1)).toMatchObject({ type: 'pool.redeclared', origin: 'api', spec: { slots: 2 }, overrides: null });
    settle(node, 'a--b', 'rolled_back');
    expect(node.notes.at(-1)).toMatchObject({ type: 'pool.redeclared', origin: 'api', spec: { slots: 1 }, overrides: null });
    expect(slotsOf(node)).toEqual([1, null, null]);
  });
});

describe('a changed entry of the pools file', () => {
  it('says to a pool that nobody ordered it, unless it comes to say that the pool starts with the daemon', async () => {
    const node = await ready();
    state(node, 'a', 1, 'offline');
    configure(node, specOf(2, { preload: false }));
    expect(node.pool('a').heard.at(-1)).toMatchObject({ type: 'pool.reload', byDeclaration: true });
    configure(node, specOf(3));
    expect(node.pool('a').heard.at(-1)).toMatchObject({ type: 'pool.reload', specHash: 'h3' });
    expect(node.pool('a').heard.at(-1)).not.toHaveProperty('byDeclaration');
  });

  it('that comes to say only that starts the pool', async () => {
    const node = await serving({ poolId: 'a', spec: specOf(1, { preload: false }) });
    configure(node, specOf(1));
    expect(node.heard('a').slice(-2)).toEqual(['spec.adjusted', 'pool.start']);
  });
});

describe('what the pools file orders', () => {
  it('is not taken back when it is rolled back, so that it is not tried again before the file changes', async () => {
    const node = await ready();
    configure(node, specOf(2));
    settle(node, 'a--b', 'rolled_back');
    expect(slotsOf(node)).toEqual([2, null, null]);
    node.pool('a').heard.length = 0;
    configure(node, specOf(2));
    expect(node.heard('a')).toEqual([]);
    expect(kept(node)).toEqual([]);
  });
});

describe('a pool that the pools file comes to declare', () => {
  const takenOver = { type: 'pool.redeclared', poolId: 'a', origin: 'file', overrides: null, former: null } as const;

  it('is taken over from the API as it is, and goes when the file drops it', async () => {
    const node = await ready({ origin: 'api' });
    configure(node, filed);
    expect(node.heard('a')).toEqual(['gpus.matched', 'pool.filed']);
    expect(node.notes).toEqual([{ ...takenOver, spec: filed }]);
    expect(node.context().roster).toMatchObject({ a: { origin: 'file' } });
    configure(node, filed);
    expect(node.heard('a')).toHaveLength(2);
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    expect(node.heard('a').at(-1)).toBe('pool.remove');
  });

  it('has what the file says of it, where the API said something else', async () => {
    const node = await ready({ origin: 'api' });
    configure(node, specOf(2));
    expect(node.notes).toEqual([{ ...takenOver, spec: filed }]);
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', origin: 'file', spec: { slots: 2 } });
    expect(slotsOf(node)).toEqual([2, null, null]);
  });

  it('is taken over with the engine that rises beside it, of an order that has nothing to go back to any more', async () => {
    const node = await ready({ origin: 'api' });
    order(node, specOf(2));
    configure(node, specOf(2));
    expect([node.heard('a').at(-1), node.heard('a--b')]).toEqual(['pool.filed', ['pool.filed']]);
    expect(slotsOf(node)).toEqual([2, null, null]);
    state(node, 'a--b', 2);
    settle(node, 'a--b', 'reloaded');
    expect(node.context().roster['a--b']).toMatchObject({ origin: 'file', role: 'serving', declared: { specHash: 'h2' } });
  });

  it("takes the place of somebody else's engine of that name", async () => {
    const node = await serving({ poolId: 'a', origin: 'attached' });
    configure(node, filed);
    expect(node.heard('a')).toEqual(['pool.remove']);
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a', origin: 'file', spec: filed });
    expect(node.notes).toContainEqual({ type: 'pool.forgotten', poolId: 'a' });
  });

  it('comes up once what was removed over the API has ended, unless the file drops it meanwhile', async () => {
    for (const drops of [false, true]) {
      const node = await ready({ origin: 'api' });
      node.send({ type: 'pool.commanded', poolId: 'a', command: { type: 'pool.remove', ...tick() }, ...tick() });
      configure(node, specOf(2));
      expect(node.heard('a')).not.toContain('pool.filed');
      if (drops) node.send({ type: 'pools.configured', pools: [], ...tick() });
      node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
      expect(Object.keys(node.context().roster)).toEqual(drops ? [] : ['a']);
    }
  });
});

describe('a pool that was resumed with a declaration in wait', () => {
  const waits = (node: NodeDriver): void => node.pool('a').say({ type: 'declaration.waits', poolId: 'a', stamp: tick() });

  it('gets it beside the engine that goes on, once that serves', async () => {
    const node = await ready();
    node.pool('a').say(report('a', 'draining', { specHash: 'h1' }));
    configure(node, specOf(2));
    waits(node);
    expect(node.inputs).toHaveLength(1);
    state(node, 'a', 1);
    expect(node.context().roster['a--b']).toMatchObject({ role: 'rising', order: { specHash: 'h2' } });
  });

  it('gets nothing where it has what is declared', async () => {
    const node = await ready();
    waits(node);
    state(node, 'a', 1);
    expect(node.inputs).toHaveLength(1);
  });
});
