/** A new engine beside the old one: when it is raised, and what becomes of both. */
import { describe, expect, it } from 'vitest';
import type { PoolCommand } from '../../../src/machines/events.ts';
import { gpuViews, nodeView } from '../../../src/machines/node/view.ts';
import { isBeingReplaced, servingOf } from '../../../src/machines/policies/roster.ts';
import type { ReasonCode } from '../../../src/machines/reasons.ts';
import type { Cause } from '../../../src/machines/vocabulary.ts';
import { card, gib, gpuRun, gpuSpec, inventoryOf } from '../../kit/gpu-facts.ts';
import { bootPool, found, type NodeDriver, tick } from '../../kit/node-driver.ts';
import { drive, report, serving } from './story.ts';

const order = (hash: string): PoolCommand => ({
  type: 'pool.reload',
  spec: gpuSpec({ id: 'a', slots: Number(hash.slice(1)) }),
  specHash: hash,
  operationId: `to-${hash}`,
  ...tick(),
});
const command = (node: NodeDriver, given: PoolCommand): void => node.send({ type: 'pool.commanded', poolId: 'a', command: given, ...tick() });
const reload = (node: NodeDriver, hash: string): void => command(node, order(hash));
const configure = (node: NodeDriver, hash: string): void =>
  node.send({ type: 'pools.configured', pools: [{ spec: gpuSpec({ id: 'a', slots: Number(hash.slice(1)) }), specHash: hash }], ...tick() });

const ready = async (): Promise<NodeDriver> => {
  const node = await serving({ poolId: 'a' });
  node.discover();
  node.pool('a').say(report('a', 'ready', { restarts: 2 }));
  node.pool('a').heard.length = 0;
  return node;
};

/** What the engine that serves was told of reloads. */
const concluded = (node: NodeDriver, berth = 'a') => node.pool(berth).heard.filter(({ type }) => type === 'reload.concluded');
/** What it was told to do. */
const ordered = (node: NodeDriver, berth = 'a') => node.heard(berth).filter((type) => type !== 'reload.concluded');

const rising = async () => {
  const node = await ready();
  reload(node, 'h2');
  return node;
};

const settle = (node: NodeDriver, berth: string, outcome: 'reloaded' | 'given_up', code: ReasonCode | null = null): void =>
  node.pool(berth).say({
    type: 'reload.settled',
    poolId: berth,
    operationId: 'to-h2',
    outcome,
    cause: code && { code, message: 'because' },
    stamp: tick(),
  });
const end = (node: NodeDriver, berth: string): void => node.pool(berth).say({ type: 'pool.ended', poolId: berth });

const succeeded = async () => {
  const node = await rising();
  node.pool('a--b').say(report('a--b', 'ready', { specHash: 'h2' }));
  settle(node, 'a--b', 'reloaded');
  node.pool('a--b').heard.length = 0;
  return node;
};

const around = { machineId: 'm', version: '0', host: {} as never, simulated: false, registration: null, journalTrouble: null };
const shown = (node: NodeDriver) => nodeView(node.actor.getSnapshot(), around).pools;

describe('a reload of a pool that is ready', () => {
  it('raises a hidden engine in the other berth and leaves the old one alone', async () => {
    const node = await rising();
    expect(ordered(node)).toEqual([]);
    expect(node.pool('a--b').input).toMatchObject({
      poolId: 'a--b',
      spec: { id: 'a', slots: 2 },
      specHash: 'h2',
      gpus: [{ uuid: 'GPU-0' }],
      run: null,
      memory: null,
      beside: { operationId: 'to-h2' },
      orphaned: false,
    });
    expect(shown(node)).toEqual(['a']);
    expect(servingOf(node.context().roster, 'a')).toMatchObject({ actorId: 'a#1', declared: { specHash: 'h2' } });
    expect(servingOf(node.context().roster, 'a--b')).toBeNull();
    expect(isBeingReplaced(node.context().roster, 'a')).toBe(true);
  });

  it('goes over to the new engine once that is ready, tells the control plane at once, and has the old one drained', async () => {
    const node = await rising();
    const before = node.registrationHeard().length;
    node.pool('a--b').say(report('a--b', 'starting'));
    node.pool('a--b').say(report('a--b', 'ready', { specHash: 'h2' }));
    expect(node.registrationHeard()).toHaveLength(before);
    settle(node, 'a--b', 'reloaded');
    expect(node.registrationHeard().slice(before)).toEqual(['readiness.changed']);
    expect(servingOf(node.context().roster, 'a')).toMatchObject({ actorId: 'a--b#2', declared: { specHash: 'h2' }, role: 'serving' });
    expect(node.pool('a').heard).toMatchObject([{ type: 'pool.remove', cause: { code: 'superseded' } }]);
    expect(node.pool('a--b').heard).toEqual([{ type: 'pool.succeeded', restarts: 2 }]);
    end(node, 'a');
    expect(Object.keys(node.context().roster)).toEqual(['a--b']);
    expect(node.notes.filter(({ type }) => type !== 'pool.redeclared')).toEqual([{ type: 'berth.forgotten', poolId: 'a' }]);
    expect(shown(node)).toEqual(['a']);
    expect(node.registrationHeard().slice(before)).toEqual(['readiness.changed']);
    expect(isBeingReplaced(node.context().roster, 'a')).toBe(false);
    expect(concluded(node)).toEqual([]);
  });

  it('counts the drain of the old engine from the order where nobody stamped the proof', async () => {
    const node = await rising();
    node.pool('a--b').say({ type: 'reload.settled', poolId: 'a--b', operationId: 'to-h2', outcome: 'reloaded', cause: null, stamp: null });
    expect(node.pool('a').heard[0]).toMatchObject({ type: 'pool.remove', mono: expect.any(Number) });
  });

  it('has the old engine give the new one no acknowledgement to hurry by', async () => {
    const node = await succeeded();
    node.pool('a').say({ type: 'drain.announced', poolId: 'a' });
    node.registration().say({ type: 'heartbeat.acknowledged', draining: ['a'] });
    expect(ordered(node)).toEqual(['pool.remove']);
    expect(node.heard('a--b')).toEqual(['drain.acknowledged']);
  });

  it('goes back to the first berth at the next one', async () => {
    const node = await succeeded();
    end(node, 'a');
    reload(node, 'h3');
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a', specHash: 'h3', beside: { operationId: 'to-h3' } });
    expect(node.context().roster['a']).toMatchObject({ actorId: 'a#3', role: 'rising' });
  });

  it.each([
    ['insufficient_vram', {}],
    ['cuda_oom', {}],
    ['port_conflict', { held_beside: true }],
  ] as const)('makes way in the old place where it fails for want of room (%s)', async (code, details) => {
    const node = await rising();
    const cause = { code, message: 'no room', details };
    node.pool('a--b').say({ type: 'reload.settled', poolId: 'a--b', operationId: 'to-h2', outcome: 'given_up', cause, stamp: tick() });
    end(node, 'a--b');
    expect(node.pool('a').heard).toMatchObject([{ type: 'pool.reload', specHash: 'h2', operationId: 'to-h2' }]);
    expect(concluded(node)).toEqual([]);
    expect(Object.keys(node.context().roster)).toEqual(['a']);
  });

  it('too large for the whole card leaves the old engine alone, which would make way in vain', async () => {
    const node = await rising();
    const cause = { code: 'insufficient_vram', message: 'it can never fit this card', details: { never_fits: true } } as const;
    node.pool('a--b').say({ type: 'reload.settled', poolId: 'a--b', operationId: 'to-h2', outcome: 'given_up', cause, stamp: tick() });
    expect(ordered(node)).toEqual([]);
    expect(concluded(node)).toMatchObject([{ outcome: 'rolled_back', cause: { code: 'insufficient_vram' } }]);
  });

  it('on a port that somebody else has leaves the old engine alone', async () => {
    const node = await rising();
    const cause = { code: 'port_conflict', message: 'pool solo has it', details: { held_beside: false } } as const;
    node.pool('a--b').say({ type: 'reload.settled', poolId: 'a--b', operationId: 'to-h2', outcome: 'given_up', cause, stamp: tick() });
    expect(ordered(node)).toEqual([]);
    expect(concluded(node)).toMatchObject([{ outcome: 'rolled_back', cause: { code: 'port_conflict' } }]);
  });

  it('that fails for itself is rolled back without the old engine having heard of it', async () => {
    const node = await rising();
    settle(node, 'a--b', 'given_up', 'model_missing');
    end(node, 'a--b');
    expect(ordered(node)).toEqual([]);
    expect(concluded(node)).toMatchObject([{ operationId: 'to-h2', outcome: 'rolled_back', cause: { code: 'model_missing', message: 'because' } }]);
    expect(node.context().roster['a']?.declared?.specHash).toBe('h1');
  });

  it('that fails where the old engine is down too is given up', async () => {
    const node = await rising();
    node.pool('a').say(report('a', 'offline'));
    settle(node, 'a--b', 'given_up');
    expect(concluded(node)).toMatchObject([{ outcome: 'given_up', cause: { code: 'engine_exited' } }]);
  });

  it('whose actor breaks is rolled back, and what it has started is looked for and ended', async () => {
    const node = await rising();
    node.break('a--b#2');
    expect(concluded(node)).toMatchObject([{ outcome: 'rolled_back', cause: { code: 'driver_error' } }]);
    expect(node.recalls[0]?.input).toMatchObject({ poolId: 'a--b', spec: null });
    const pool = { poolId: 'a--b', origin: 'file', spec: null, specHash: null, overrides: null, former: null, memory: null, handoff: null } as const;
    const run = gpuRun({ poolId: 'a--b', spec: gpuSpec({ id: 'a' }) });
    node.recalls[0]?.say({ type: 'pool.recalled', pool: { ...pool, run }, ...tick() });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', orphaned: true, beside: null });
    expect(node.context().roster['a--b']).toMatchObject({ role: 'retiring', leaving: true });
    node.break('a--b#3');
    node.recalls[1]?.say({ type: 'pool.recalled', pool: { ...pool, run: null }, ...tick() });
    expect(Object.keys(node.context().roster)).toEqual(['a']);
    expect(ordered(node)).toEqual([]);
  });

  it('goes on where the actor of the old engine breaks meanwhile', async () => {
    const node = await rising();
    node.break('a#1');
    node.recalls[0]?.say({
      type: 'pool.recalled',
      pool: bootPool({ poolId: 'a', specHash: 'h2', run: gpuRun({ poolId: 'a', specHash: 'h1' }) }),
      ...tick(),
    });
    expect(ordered(node)).toEqual([]);
    settle(node, 'a--b', 'reloaded');
    expect(ordered(node)).toEqual(['pool.remove']);
  });

  it('asks for VRAM beside what the old engine has', async () => {
    const node = await ready();
    const ask = (poolId: string) =>
      node.pool(poolId).say({
        type: 'admission.requested',
        poolId,
        devices: [0],
        tensorSplit: null,
        needBytes: 16 * gib,
        inventory: { ...inventoryOf(card(0), card(1)), ...tick() },
      });
    ask('a');
    reload(node, 'h2');
    ask('a--b');
    expect(node.pool('a--b').heard).toMatchObject([{ type: 'admission.refused', cause: { code: 'insufficient_vram' } }]);
    expect(JSON.stringify(node.pool('a--b').heard)).not.toContain('--b');
    expect(gpuViews(node.context(), { now: 0, staleMs: 0 })).toMatchObject([{ pools: ['a'], memory_reserved_bytes: 16 * gib }, { pools: [] }]);
  });
});

describe('while a new engine rises', () => {
  const operator: Cause = { code: 'operator', message: expect.any(String) };

  it.each([
    ['a drain', { type: 'pool.drain', deadlineMs: null }, operator],
    ['a removal', { type: 'pool.remove' }, { code: 'removed', message: expect.any(String) }],
  ] as const)('%s ends it and goes to the old one', async (_, given, cause) => {
    const node = await rising();
    command(node, { ...given, ...tick() });
    expect(node.pool('a--b').heard).toMatchObject([{ type: 'pool.remove', cause }]);
    expect(ordered(node)).toEqual([given.type]);
    expect(concluded(node)).toMatchObject([{ operationId: 'to-h2', outcome: 'given_up', cause }]);
    settle(node, 'a--b', 'given_up', 'insufficient_vram');
    end(node, 'a--b');
    expect(ordered(node)).toEqual([given.type]);
    expect(concluded(node)).toHaveLength(1);
  });

  it('other orders go to the old one and leave it alone', async () => {
    const node = await rising();
    command(node, { type: 'pool.start', ...tick() });
    expect(ordered(node)).toEqual(['pool.start']);
    expect(node.heard('a--b')).toEqual([]);
  });

  it('the same spec declared again changes nothing', async () => {
    const node = await rising();
    configure(node, 'h2');
    reload(node, 'h2');
    expect([ordered(node), node.heard('a--b')]).toEqual([[], []]);
  });

  it('another spec ends it and is raised once its berth is free', async () => {
    const node = await rising();
    configure(node, 'h3');
    configure(node, 'h4');
    expect(node.heard('a--b')).toEqual(['pool.remove']);
    expect(concluded(node)).toMatchObject([
      { operationId: 'to-h2', outcome: 'given_up', cause: { code: 'superseded' } },
      { operationId: 'file-h3', outcome: 'given_up', cause: { code: 'superseded' } },
    ]);
    expect(isBeingReplaced(node.context().roster, 'a')).toBe(true);
    end(node, 'a--b');
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', specHash: 'h4', beside: { operationId: 'file-h4' } });
    expect(ordered(node)).toEqual([]);
  });

  it('the spec of the old engine ends it, and that is all', async () => {
    const node = await rising();
    reload(node, 'h1');
    expect(node.heard('a--b').at(-1)).toBe('pool.remove');
    end(node, 'a--b');
    expect(node.inputs).toHaveLength(2);
    expect(concluded(node)).toMatchObject([{ operationId: 'to-h2', outcome: 'given_up', cause: { code: 'superseded' } }]);
    expect(node.pool('a').heard.at(-1)).toMatchObject({ type: 'pool.reload', specHash: 'h1' });
  });

  it('new times go to both, and to an order that waits', async () => {
    const node = await rising();
    const spec = (slots: number) => gpuSpec({ id: 'a', slots, timeouts: { ...gpuSpec().timeouts, drain_ms: 5 } });
    node.send({ type: 'pools.configured', pools: [{ spec: spec(2), specHash: 'h2' }], ...tick() });
    expect(node.pool('a--b').heard).toMatchObject([{ type: 'spec.adjusted', spec: spec(2), specHash: 'h2' }]);
    expect(ordered(node)).toEqual(['spec.adjusted']);
    configure(node, 'h3');
    node.send({ type: 'pools.configured', pools: [{ spec: spec(3), specHash: 'h3' }], ...tick() });
    end(node, 'a--b');
    expect(node.inputs.at(-1)).toMatchObject({ spec: spec(3), specHash: 'h3' });
  });

  it('new times that are ordered are taken up by the engine that runs, without another', async () => {
    const node = await ready();
    const running = node.actor.getSnapshot().context.roster['a']?.report?.specHash ?? '';
    const spec = gpuSpec({ id: 'a', timeouts: { ...gpuSpec().timeouts, drain_ms: 5 } });
    command(node, { type: 'pool.reload', spec, specHash: running, operationId: 'to-new-times', ...tick() });
    expect(node.pool('a').heard).toMatchObject([{ type: 'spec.adjusted', spec, specHash: running }, { type: 'pool.reload' }]);
    expect(node.inputs).toHaveLength(1);
  });

  it('a node that takes its engines with it ends both, and waits for both', async () => {
    const node = await rising();
    node.pool('a--b').say(report('a--b', 'starting'));
    node.send({ type: 'node.stop', mode: 'drain', ...tick() });
    expect([ordered(node), node.heard('a--b')]).toEqual([['pool.shutDown'], ['pool.shutDown']]);
    node.pool('a').say(report('a', 'offline'));
    expect(node.value()).toMatchObject({ lifecycle: { draining: 'emptying' } });
    settle(node, 'a--b', 'given_up', 'insufficient_vram');
    end(node, 'a--b');
    expect(node.value()).toMatchObject({ lifecycle: { draining: 'deregistering' } });
    expect(ordered(node)).toEqual(['pool.shutDown']);
  });
});

describe('while the old engine drains behind its successor', () => {
  it('another reload waits for the berth, and a drain takes it back', async () => {
    const node = await succeeded();
    reload(node, 'h3');
    expect(node.inputs).toHaveLength(2);
    command(node, { type: 'pool.drain', deadlineMs: null, ...tick() });
    expect(ordered(node, 'a--b')).toEqual(['pool.drain']);
    expect(concluded(node, 'a--b')).toMatchObject([{ operationId: 'to-h3', outcome: 'given_up' }]);
    end(node, 'a');
    expect(node.inputs).toHaveLength(2);
  });

  it('a reload of a successor that is not ready does not wait for it', async () => {
    const node = await succeeded();
    node.pool('a--b').say(report('a--b', 'offline', { specHash: 'h2' }));
    reload(node, 'h3');
    expect(node.pool('a--b').heard).toMatchObject([{ type: 'pool.reload', specHash: 'h3' }]);
  });

  it('a pool that is removed and declared again goes where there is room', async () => {
    const node = await succeeded();
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    end(node, 'a--b');
    expect(node.notes.filter(({ type }) => type !== 'pool.redeclared')).toEqual([
      { type: 'berth.forgotten', poolId: 'a--b' },
      { type: 'pool.forgotten', poolId: 'a' },
    ]);
    expect(shown(node)).toEqual([]);
    const stranger = { file: 'a-r0.json', poolId: 'a', replicaId: 'r0', engine: null, engineVersion: null, endpoint: 'http://127.0.0.1:1' };
    const handoff = { ...stranger, devices: [], slotsTotal: 1, ready: true, modelId: null, pid: null, pidStartTime: null, incarnation: null };
    node.send({ type: 'handoff.appeared', handoff, ...tick() });
    expect(node.settled).toMatchObject([{ file: 'a-r0.json', outcome: 'ignored' }]);
    configure(node, 'h5');
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', specHash: 'h5', beside: null });
    end(node, 'a');
    expect(Object.keys(node.context().roster)).toEqual(['a--b']);
  });

  it('a pool declared over the API takes the free berth too', async () => {
    const node = await succeeded();
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    end(node, 'a--b');
    node.send({ type: 'pool.declared', spec: gpuSpec({ id: 'a' }), specHash: 'h', origin: 'api', ...tick() });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', origin: 'api' });
  });

  it('handoff files with an incarnation go to their own engine, others to the one that serves', async () => {
    const node = await succeeded();
    const plain = { file: 'x.json', replicaId: 'r0', engine: null, engineVersion: null, endpoint: 'http://127.0.0.1:1', devices: [] };
    const handoff = { ...plain, slotsTotal: 1, ready: true, modelId: null, pid: null, pidStartTime: null };
    node.send({ type: 'handoff.appeared', handoff: { ...handoff, poolId: 'a', incarnation: 'one' }, ...tick() });
    expect(node.heard('a').at(-1)).toBe('handoff.appeared');
    node.send({ type: 'handoff.appeared', handoff: { ...handoff, poolId: 'a', incarnation: null }, ...tick() });
    expect(node.heard('a--b')).toEqual(['handoff.appeared']);
  });
});

describe('a node that finds two engines of one pool', () => {
  const twoEngines = async () => {
    const orphan = {
      poolId: 'a--b',
      origin: 'file',
      spec: null,
      specHash: null,
      overrides: null,
      former: null,
      memory: null,
      handoff: null,
    } as const;
    const node = drive({
      boot: found([
        bootPool({ poolId: 'a', spec: gpuSpec({ id: 'a', slots: 2 }), specHash: 'h2', run: gpuRun({ poolId: 'a', specHash: 'h1' }) }),
        { ...orphan, run: gpuRun({ poolId: 'a--b', specHash: 'h2' }) },
      ]),
    });
    await node.booted();
    return node;
  };

  it('shows one, has the other drained, and only then goes over to the declared spec', async () => {
    const node = await twoEngines();
    expect(shown(node)).toEqual(['a']);
    expect(node.pool('a--b').input).toMatchObject({ orphaned: true });
    expect(ordered(node)).toEqual([]);
    node.pool('a').say({ type: 'adoption.settled', poolId: 'a' });
    node.pool('a').say(report('a', 'starting'));
    end(node, 'a--b');
    expect(node.inputs).toHaveLength(2);
    node.pool('a').say(report('a', 'ready'));
    expect(ordered(node)).toEqual([]);
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', specHash: 'h2', beside: { operationId: 'declared-h2' } });
  });
});

describe('a pool that is not ready', () => {
  it('is reloaded in its place', async () => {
    const node = await serving({ poolId: 'a' });
    node.pool('a').say(report('a', 'offline'));
    reload(node, 'h2');
    expect(node.pool('a').heard).toMatchObject([{ type: 'pool.reload', specHash: 'h2' }]);
    expect(node.raised()).toEqual(['a']);
  });
});
