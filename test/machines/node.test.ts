/** The node's chart: what becomes of pools, cards, files and orders. Every transition is taken. */
import { afterAll, describe, expect, it } from 'vitest';
import { gpuViews } from '../../src/machines/node/view.ts';
import type { Cause, Handoff, PoolState } from '../../src/machines/vocabulary.ts';
import { card, gib, gpuRun, gpuSpec, inventoryOf } from '../kit/gpu-facts.ts';
import { bootPool, found, type NodeDriver, tick } from '../kit/node-driver.ts';
import { coverage, drive, report, serving } from './node/story.ts';
import './node/cards.ts';
import './node/ordering.ts';
import './node/replacing.ts';

afterAll(() => expect(coverage.missing()).toEqual([]));

const handoff = (facts: Partial<Handoff> = {}): Handoff => ({
  file: 'stranger-r0.json',
  poolId: 'stranger',
  replicaId: 'r0',
  engine: 'llamacpp',
  engineVersion: null,
  endpoint: 'http://127.0.0.1:8081',
  devices: [0],
  slotsTotal: 2,
  ready: true,
  modelId: null,
  pid: null,
  pidStartTime: null,
  incarnation: null,
  ...facts,
});

const unreadable: Cause = { code: 'state_store_failed', message: 'pools/x.json is damaged' };
const hung: Cause = { code: 'driver_error', message: 'nvidia-smi hangs' };

describe('a node that starts', () => {
  it('raises what is on disk and serves at once where nothing runs', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    expect(node.value()).toMatchObject({ lifecycle: 'serving', gpus: 'probing', restarts: 'calm' });
    expect(node.raised()).toEqual(['a', 'b']);
    expect(node.pool('a').input).toMatchObject({ gpus: null, gpuCause: null, orphaned: false });
    expect(node.registration().input.nodeId).toBe('node-1');
  });

  it('waits for adoptions before it registers, and for slow ones no longer than two seconds', async () => {
    const node = drive({
      boot: found([bootPool({ poolId: 'a', run: gpuRun({ poolId: 'a', specHash: 'h1' }) }), bootPool({ poolId: 'b', run: gpuRun({ poolId: 'b' }) })]),
    });
    await node.booted();
    expect(node.value()).toMatchObject({ lifecycle: 'adopting' });
    node.pool('a').say({ type: 'adoption.settled', poolId: 'a' });
    expect(node.value()).toMatchObject({ lifecycle: 'adopting' });
    node.clock.increment(2_000);
    expect(node.value()).toMatchObject({ lifecycle: 'serving' });
  });

  it('books the VRAM of engines that run, and drains those nothing declares any more', async () => {
    const run = gpuRun({ poolId: 'a', reservedBytes: 5 * gib });
    const node = drive({ boot: found([bootPool({ poolId: 'a', spec: null, run })]) });
    await node.booted();
    expect(node.context().ledger.reservations['a']).toMatchObject({ bytes: 5 * gib, gpuUuids: ['GPU-0'] });
    expect(node.pool('a').input.orphaned).toBe(true);
  });

  it('has an engine that runs under an older spec adopted first and reloaded then', async () => {
    const node = drive({ boot: found([bootPool({ poolId: 'a', specHash: 'new', run: gpuRun({ poolId: 'a', specHash: 'old' }) })]) });
    await node.booted();
    expect(node.pool('a').input.specHash).toBe('old');
    expect(node.heard('a')).toEqual([]);
    node.pool('a').say({ type: 'adoption.settled', poolId: 'a' });
    node.pool('a').say(report('a', 'starting', { specHash: 'old' }));
    expect(node.inputs).toHaveLength(1);
    node.pool('a').say(report('a', 'ready', { specHash: 'old' }));
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a--b', specHash: 'new', beside: { operationId: 'declared-new' } });
    expect(node.heard('a')).toEqual([]);
  });

  it('starts one that has ended meanwhile under the newer spec', async () => {
    const node = drive({ boot: found([bootPool({ poolId: 'a', specHash: 'new', run: gpuRun({ poolId: 'a', specHash: 'old' }) })]) });
    await node.booted();
    node.pool('a').say({ type: 'adoption.settled', poolId: 'a' });
    node.pool('a').say(report('a', 'offline', { specHash: 'old' }));
    expect(node.pool('a').heard).toMatchObject([{ type: 'pool.reload', specHash: 'new', operationId: 'declared-new' }]);
  });

  it('passes over what is neither declared nor running, and names what could not be read', async () => {
    const node = drive({ boot: found([bootPool({ poolId: 'a', spec: null })], [unreadable]) });
    await node.booted();
    expect(node.raised()).toEqual([]);
    expect(node.context().troubles).toEqual([unreadable]);
  });

  it('serves without its state when that cannot be read at all, and says so', async () => {
    const node = drive({ boot: Promise.reject(new Error('EIO')) });
    await node.booted();
    expect(node.value()).toMatchObject({ lifecycle: 'serving' });
    expect(node.context().troubles[0]?.code).toBe('state_store_failed');
  });
});

describe('cards', () => {
  it('that are discovered are told to the pools they fit, once', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b', spec: gpuSpec({ id: 'b', devices: [7] }) });
    node.discover(card(0));
    node.discover(card(0));
    expect(node.pool('a').heard).toMatchObject([{ type: 'gpus.matched', gpus: [{ index: 0, uuid: 'GPU-0' }] }]);
    expect(node.pool('b').heard).toMatchObject([{ type: 'gpus.unmatched', cause: { code: 'gpu_missing' } }]);
    expect(node.value()).toMatchObject({ gpus: 'known' });
    expect(node.registrationHeard()).toEqual(['roster.changed', 'roster.changed']);
  });

  it('that are renumbered stay with their pool by UUID', async () => {
    const node = await serving({ poolId: 'a' });
    node.discover(card(0, { uuid: 'GPU-x' }), card(1, { uuid: 'GPU-y' }));
    node.discover(card(0, { uuid: 'GPU-y' }), card(1, { uuid: 'GPU-x' }));
    expect(node.context().roster['a']?.pinned).toEqual([{ index: 0, uuid: 'GPU-x' }]);
    expect(node.heard('a')).toEqual(['gpus.matched']);
  });

  it('that go and come back are told both times', async () => {
    const node = await serving({ poolId: 'a' });
    node.discover(card(0));
    node.discover(card(1));
    node.discover(card(0), card(1));
    expect(node.heard('a')).toEqual(['gpus.matched', 'gpus.unmatched', 'gpus.matched']);
  });

  it('that cannot be read leave the last facts and touch no pool', async () => {
    const node = await serving({ poolId: 'a' });
    const inventory = node.discover(card(0));
    node.send({ type: 'gpu.probeFailed', cause: hung, ...tick() });
    expect(node.value()).toMatchObject({ gpus: 'blind' });
    expect(node.context()).toMatchObject({ inventory, gpuCause: hung });
    expect(node.heard('a')).toEqual(['gpus.matched']);
    node.discover(card(0));
    expect(node.value()).toMatchObject({ gpus: 'known' });
    expect(node.context().gpuCause).toBeNull();
  });

  it('that never could be read make the node blind from the start', async () => {
    const node = await serving();
    node.send({ type: 'gpu.probeFailed', cause: hung, ...tick() });
    expect(node.value()).toMatchObject({ gpus: 'blind' });
  });

  it('that are sampled change nothing but the samples', async () => {
    const node = await serving();
    const before = node.discover(card(0));
    const inventory = { ...inventoryOf(card(0, { temperatureC: 90 })), ...tick() };
    node.send({ type: 'gpu.sampled', inventory, ...tick() });
    expect(node.context()).toMatchObject({ inventory: before, samples: { inventory } });
  });
});

describe('VRAM', () => {
  const ask = (node: NodeDriver, poolId: string, needGib: number, devices: readonly number[] = [0]) =>
    node.pool(poolId).say({
      type: 'admission.requested',
      poolId,
      devices,
      tensorSplit: null,
      needBytes: needGib * gib,
      inventory: { ...inventoryOf(card(0), card(1)), ...tick() },
    });

  it('is granted once: the second pool that does not fit beside the first is refused with the numbers', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    ask(node, 'a', 20);
    ask(node, 'b', 20);
    expect(node.pool('a').heard).toMatchObject([{ type: 'admission.granted', reservedBytes: 20 * gib, gpus: [{ uuid: 'GPU-0' }] }]);
    expect(node.pool('b').heard).toMatchObject([{ type: 'admission.refused', cause: { code: 'insufficient_vram' } }]);
  });

  it('that frees wakes the pools that may wait for it', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    ask(node, 'a', 20);
    node.pool('b').say(report('b', 'offline'));
    node.pool('a').say({ type: 'reservation.released', poolId: 'a' });
    node.pool('a').say({ type: 'reservation.released', poolId: 'a' });
    expect(node.heard('b')).toEqual(['resources.changed']);
    expect(node.context().ledger.reservations).toEqual({});
  });

  it('on cards that are not there is refused', async () => {
    const node = await serving({ poolId: 'a' });
    ask(node, 'a', 1, [5]);
    expect(node.pool('a').heard).toMatchObject([{ type: 'admission.refused', cause: { code: 'gpu_missing' } }]);
  });

  it('for a spec on other devices pins the pool to those', async () => {
    const node = await serving({ poolId: 'a' });
    node.discover(card(0), card(1));
    ask(node, 'a', 1, [1]);
    expect(node.context().roster['a']).toMatchObject({ devices: [1], pinned: [{ index: 1, uuid: 'GPU-1' }] });
  });
});

describe('a card in quarantine', () => {
  const unkillable: Cause = { code: 'unkillable', message: 'pid 7 did not end' };
  const unreleased: Cause = { code: 'vram_not_released', message: '9 GiB still held' };
  const gpus = [{ index: 0, uuid: 'GPU-0' }];
  const ask = (node: NodeDriver, usedBytes: number) =>
    node.pool('b').say({
      type: 'admission.requested',
      poolId: 'b',
      devices: [0],
      tensorSplit: null,
      needBytes: gib,
      inventory: { ...inventoryOf(card(0, { memoryUsedBytes: usedBytes, memoryFreeBytes: 24 * gib - usedBytes })), ...tick() },
    });

  it('takes no pool while a process there will not die, and is named', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    node.pool('b').say(report('b', 'offline'));
    node.pool('a').say({ type: 'quarantine.requested', poolId: 'a', gpus, cause: unkillable });
    ask(node, 0);
    expect(node.pool('b').heard.at(-1)).toMatchObject({ type: 'admission.refused', cause: { code: 'gpu_unhealthy', details: { left_by: 'a' } } });
    node.pool('a').say({ type: 'quarantine.lifted', poolId: 'a' });
    expect(node.heard('b').at(-1)).toBe('resources.changed');
    ask(node, 0);
    expect(node.heard('b').at(-1)).toBe('admission.granted');
  });

  it('takes pools again once the memory that was held is back', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    node.pool('a').say({ type: 'quarantine.requested', poolId: 'a', gpus, cause: unreleased });
    ask(node, 9 * gib);
    expect(node.pool('b').heard.at(-1)).toMatchObject({ type: 'admission.refused', cause: { code: 'vram_not_released' } });
    ask(node, 0);
    expect(node.heard('b').at(-1)).toBe('admission.granted');
    expect(node.context().quarantines).toEqual({});
  });

  it('is told in the view of the card and of the node', async () => {
    const node = await serving({ poolId: 'a' });
    node.discover(card(0), card(1));
    node.pool('a').say({ type: 'quarantine.requested', poolId: 'a', gpus, cause: unkillable });
    const views = gpuViews(node.context(), { now: Date.now(), staleMs: 1_000 });
    expect(views.map(({ quarantine }) => quarantine?.pool_id ?? null)).toEqual(['a', null]);
  });
});

describe('what pools report', () => {
  it('becomes a heartbeat when readiness, draining or being full changes, and only then', async () => {
    const node = await serving({ poolId: 'a' });
    const say = (state: PoolState, slotsFree: number | null = null) => node.pool('a').say(report('a', state, { slotsFree }));
    say('starting');
    expect(node.registrationHeard()).toEqual(['readiness.changed']);
    say('offline');
    expect(node.registrationHeard()).toHaveLength(1);
    say('ready', 2);
    say('ready', 1);
    expect(node.registrationHeard()).toHaveLength(2);
    say('ready', 0);
    say('draining', 0);
    expect(node.registrationHeard()).toHaveLength(4);
  });

  it('of a drain waits for the control plane where there is one, and for nobody where there is none', async () => {
    const registered = await serving({ poolId: 'a' });
    registered.pool('a').say({ type: 'drain.announced', poolId: 'a' });
    expect(registered.heard('a')).toEqual([]);
    registered.registration().say({ type: 'heartbeat.acknowledged', draining: ['a', 'gone'] });
    expect(registered.heard('a')).toEqual(['drain.acknowledged']);
    const alone = drive({ boot: found([bootPool({ poolId: 'a' })]), registration: { enabled: false } });
    await alone.booted();
    alone.pool('a').say({ type: 'drain.announced', poolId: 'a' });
    expect(alone.heard('a')).toEqual(['drain.acknowledged']);
  });

  it('of restarts gathers to a storm and calms down', async () => {
    const node = await serving({ poolId: 'a' });
    const backOff = () => node.pool('a').say({ type: 'pool.backedOff', poolId: 'a', mono: node.clock.now() });
    for (let count = 0; count < 4; count += 1) backOff();
    expect(node.value()).toMatchObject({ restarts: 'calm' });
    backOff();
    expect(node.value()).toMatchObject({ restarts: 'gathering' });
    node.clock.increment(60_000);
    expect(node.value()).toMatchObject({ restarts: 'calm' });
    for (let count = 0; count < 10; count += 1) backOff();
    expect(node.value()).toMatchObject({ lifecycle: 'serving', restarts: 'storming' });
    expect(node.raised()).toEqual(['a']);
    node.clock.increment(30_000);
    backOff();
    node.clock.increment(30_000);
    expect(node.value()).toMatchObject({ restarts: 'storming' });
    node.clock.increment(30_000);
    expect(node.value()).toMatchObject({ restarts: 'calm' });
  });
});

describe('pools', () => {
  it('are declared over the API once, and end with everything that was kept of them', async () => {
    const node = await serving();
    const spec = gpuSpec({ id: 'a' });
    node.send({ type: 'pool.declared', spec, specHash: 'h', origin: 'api', ...tick() });
    node.send({ type: 'pool.declared', spec, specHash: 'h', origin: 'api', ...tick() });
    expect(node.inputs).toHaveLength(1);
    node.send({ type: 'pool.commanded', poolId: 'a', command: { type: 'pool.remove', ...tick() }, ...tick() });
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    expect(node.context().roster).toEqual({});
    expect(node.notes).toEqual([
      { type: 'berth.forgotten', poolId: 'a' },
      { type: 'pool.forgotten', poolId: 'a' },
    ]);
    expect(node.registrationHeard()).toContain('roster.changed');
  });

  it('that do not exist are commanded in vain', async () => {
    const node = await serving();
    node.send({ type: 'pool.commanded', poolId: 'nobody', command: { type: 'pool.start', ...tick() }, ...tick() });
    expect(node.actor.getSnapshot().status).toBe('active');
  });

  it('follow a changed file: new ones are raised, changed ones reloaded, missing ones removed, others left alone', async () => {
    const node = await serving({ poolId: 'same' }, { poolId: 'changed' }, { poolId: 'gone' }, { poolId: 'api', origin: 'api' });
    const declared = (id: string, slots: number) => ({ spec: gpuSpec({ id, slots }), specHash: `h${slots}` });
    const file = [declared('same', 1), declared('changed', 2), declared('new', 1)];
    node.send({ type: 'pools.configured', pools: file, ...tick() });
    node.send({ type: 'pools.configured', pools: file, ...tick() });
    expect(node.heard('same')).toEqual([]);
    expect(node.pool('changed').heard).toMatchObject([{ type: 'pool.reload', specHash: 'h2', operationId: 'file-h2' }]);
    expect(node.heard('gone')).toEqual(['pool.remove']);
    expect(node.heard('api')).toEqual([]);
    expect(node.raised()).toContain('new');
  });

  it('of which only times changed are told so, and keep their engines', async () => {
    const node = await serving({ poolId: 'a' });
    const spec = gpuSpec({ id: 'a', timeouts: { ...gpuSpec().timeouts, drain_ms: 5_000 } });
    node.send({ type: 'pools.configured', pools: [{ spec, specHash: 'h1' }], ...tick() });
    node.send({ type: 'pools.configured', pools: [{ spec, specHash: 'h1' }], ...tick() });
    expect(node.pool('a').heard).toMatchObject([{ type: 'spec.adjusted', spec }]);
  });

  it('whose engine runs under the same spec with other times are adopted with the new ones', async () => {
    const spec = gpuSpec({ id: 'a', timeouts: { ...gpuSpec().timeouts, drain_ms: 5_000 } });
    const run = gpuRun({ poolId: 'a', specHash: 'h1' });
    const node = drive({ boot: found([bootPool({ poolId: 'a', spec, run })]) });
    await node.booted();
    expect(node.pool('a').input).toMatchObject({ spec, run: { spec, pid: run.pid } });
    expect(node.heard('a')).toEqual([]);
  });

  it('stay as they are while the file is not valid, which is said', async () => {
    const node = await serving({ poolId: 'a' });
    node.send({ type: 'pools.rejected', mistakes: ['pools[0].id: expected …'], ...tick() });
    expect(node.heard('a')).toEqual([]);
    expect(node.context().fileMistakes).toHaveLength(1);
    node.send({ type: 'pools.configured', pools: [{ spec: gpuSpec({ id: 'a' }), specHash: 'h1' }], ...tick() });
    expect(node.context().fileMistakes).toBeNull();
  });

  it('that are declared again while they leave are raised anew once they have left', async () => {
    const node = await serving({ poolId: 'a' });
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    node.send({ type: 'pools.configured', pools: [{ spec: gpuSpec({ id: 'a', slots: 9 }), specHash: 'h2' }], ...tick() });
    expect(node.inputs).toHaveLength(1);
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a', specHash: 'h2', spec: { slots: 9 } });
    expect(node.context().roster['a']).toMatchObject({ actorId: 'a#2', leaving: false });
  });

  it('whose actor breaks are raised again with what is on disk, a bounded number of times', async () => {
    const node = await serving({ poolId: 'a' });
    for (let count = 1; count <= 6; count += 1) {
      node.break(`a#${count}`);
      if (count > 5) break;
      expect(node.recalls).toHaveLength(count);
      node.recalls.at(-1)?.say({ type: 'pool.recalled', pool: bootPool({ poolId: 'a', run: gpuRun({ poolId: 'a', specHash: 'h1' }) }), ...tick() });
    }
    expect(node.recalls).toHaveLength(5);
    expect(node.context().roster['a']?.crashes).toBe(6);
    expect(node.context().troubles[0]?.message).toContain('the actor of a broke');
  });

  it('whose actor broke, once or for good, take the node with them by no order, no card and no end', async () => {
    for (const breaks of [1, 6]) {
      const node = await serving({ poolId: 'a' }, { poolId: 'b' });
      for (let count = 1; count <= breaks; count += 1) {
        node.break(`a#${count === 1 ? 1 : count + 1}`);
        if (count < breaks) node.recalls.at(-1)?.say({ type: 'pool.recalled', pool: bootPool({ poolId: 'a' }), ...tick() });
      }
      node.send({ type: 'pool.commanded', poolId: 'a', command: { type: 'pool.drain', deadlineMs: null, ...tick() }, ...tick() });
      node.discover();
      node.send({ type: 'node.stop', mode: 'drain', ...tick() });
      expect(node.actor.getSnapshot().status).toBe('active');
      expect(node.heard('b')).toEqual(['gpus.matched', 'pool.shutDown']);
    }
  });

  it('whose actor breaks on their way out go on with that, and come up again where they were declared anew', async () => {
    const node = await serving({ poolId: 'a' });
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    node.send({ type: 'pools.configured', pools: [{ spec: gpuSpec({ id: 'a', slots: 9 }), specHash: 'h9' }], ...tick() });
    node.break('a#1');
    const asked = node.recalls.at(-1);
    expect(asked?.input).toMatchObject({ poolId: 'a', spec: null });
    const run = gpuRun({ poolId: 'a', specHash: 'h1' });
    asked?.say({ type: 'pool.recalled', pool: bootPool({ ...asked.input, run, memory: null }), ...tick() });
    expect(node.inputs.at(-1)).toMatchObject({ orphaned: true, run: { specHash: 'h1' } });
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a', specHash: 'h9' });
    // The same, of which no engine is left.
    node.send({ type: 'pools.configured', pools: [], ...tick() });
    node.send({ type: 'pools.configured', pools: [{ spec: gpuSpec({ id: 'a' }), specHash: 'h7' }], ...tick() });
    node.break('a#3');
    node.recalls.at(-1)?.say({ type: 'pool.recalled', pool: bootPool({ poolId: 'a', spec: null, run: null, memory: null }), ...tick() });
    expect(node.inputs.at(-1)).toMatchObject({ poolId: 'a', specHash: 'h7' });
  });

  it('outlive a watcher that breaks: the node names it and goes on', async () => {
    const node = await serving({ poolId: 'a' });
    node.break('registration');
    expect(node.actor.getSnapshot().status).toBe('active');
    expect(node.context().troubles[0]?.message).toContain('registration broke');
  });
});

describe('handoff files', () => {
  it('are not looked for before it is known which pools are declared', async () => {
    const node = drive({ boot: found([bootPool({ poolId: 'a' })]) });
    expect(Object.keys(node.actor.getSnapshot().children)).not.toContain('handoffs');
    await node.booted();
    expect(Object.keys(node.actor.getSnapshot().children)).toContain('handoffs');
  });

  it('of a pool that is there go to it, and what it made of them to the watcher', async () => {
    const node = await serving({ poolId: 'a' });
    node.send({ type: 'handoff.appeared', handoff: handoff({ poolId: 'a', file: 'a-r0.json' }), ...tick() });
    expect(node.heard('a')).toEqual(['handoff.appeared']);
    node.pool('a').say({ type: 'handoff.settled', poolId: 'a', file: 'a-r0.json', outcome: 'accepted' });
    expect(node.settled).toMatchObject([{ file: 'a-r0.json', outcome: 'accepted' }]);
  });

  it("of somebody else's engine make an attached pool, which is kept", async () => {
    const node = await serving();
    node.send({ type: 'handoff.appeared', handoff: handoff(), ...tick() });
    expect(node.pool('stranger').input).toMatchObject({ origin: 'attached', handoff: { endpoint: 'http://127.0.0.1:8081' } });
    expect(node.settled).toMatchObject([{ outcome: 'attached' }]);
    const moved = handoff({ endpoint: 'http://127.0.0.1:8099' });
    node.send({ type: 'handoff.appeared', handoff: moved, ...tick() });
    expect(node.notes).toEqual([
      { type: 'pool.attached', handoff: handoff() },
      { type: 'pool.attached', handoff: moved },
    ]);
    node.discover(card(3));
    expect(node.heard('stranger')).toEqual(['handoff.appeared']);
  });

  it.each([
    ['of our own, of a pool that is gone', handoff({ incarnation: 'old' }), 'stale'],
    ['that say not ready, of nobody', handoff({ ready: false }), 'not_ready'],
  ])('%s make no pool', async (_, file, outcome) => {
    const node = await serving();
    node.send({ type: 'handoff.appeared', handoff: file, ...tick() });
    expect(node.raised()).toEqual([]);
    expect(node.settled).toMatchObject([{ outcome }]);
  });
});

describe('a conversation with the control plane', () => {
  it('can be had at once', async () => {
    const node = await serving();
    node.send({ type: 'node.register', ...tick() });
    node.send({ type: 'node.heartbeat', ...tick() });
    expect(node.registrationHeard()).toEqual(['node.register', 'node.heartbeat']);
  });

  it('does not begin before the node serves', () => {
    const node = drive({ boot: new Promise(() => {}) });
    node.send({ type: 'node.heartbeat', ...tick() });
    expect(node.registrationHeard()).toEqual([]);
  });
});

describe('a node that is to stop', () => {
  const stop = (node: NodeDriver, mode: 'keep' | 'drain') => node.send({ type: 'node.stop', mode, ...tick() });

  it('and keep its engines stops at once and orders nothing', async () => {
    const node = await serving({ poolId: 'a' });
    node.pool('a').say(report('a', 'ready'));
    stop(node, 'keep');
    expect(node.value()).toMatchObject({ lifecycle: 'stopped' });
    expect(node.heard('a')).toEqual([]);
    expect(node.registrationHeard()).not.toContain('node.deregister');
  });

  it('and take them with it waits for every engine, says good-bye, and stops', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b', origin: 'attached' });
    node.pool('a').say(report('a', 'ready'));
    stop(node, 'drain');
    stop(node, 'drain');
    expect(node.heard('a')).toEqual(['pool.shutDown']);
    expect(node.value()).toMatchObject({ lifecycle: { draining: 'emptying' } });
    node.pool('a').say(report('a', 'offline'));
    expect(node.value()).toMatchObject({ lifecycle: { draining: 'deregistering' } });
    expect(node.registrationHeard()).toContain('node.deregister');
    node.registration().say({ type: 'registration.ended' });
    expect(node.value()).toMatchObject({ lifecycle: 'stopped' });
  });

  it('and take them with it starts none that a changed file adds, or has come back, and ends one that is recalled', async () => {
    const node = await serving({ poolId: 'a' }, { poolId: 'b' });
    for (const id of ['a', 'b']) node.pool(id).say(report(id, 'ready'));
    const file = (...ids: readonly string[]) =>
      node.send({ type: 'pools.configured', pools: ids.map((id) => ({ spec: gpuSpec({ id }), specHash: 'h1' })), ...tick() });
    file('b');
    file('a', 'b');
    stop(node, 'drain');
    file('a', 'b', 'c');
    node.pool('a').say({ type: 'pool.ended', poolId: 'a' });
    expect(node.inputs).toHaveLength(2);
    node.break('b#2');
    node.recalls.at(-1)?.say({ type: 'pool.recalled', pool: bootPool({ poolId: 'b', run: gpuRun({ poolId: 'b', specHash: 'h1' }) }), ...tick() });
    expect([node.inputs.at(-1)?.poolId, node.heard('b')]).toEqual(['b', ['pool.shutDown']]);
  });

  it('does not wait for ever for an engine that will not end, nor for a control plane that does not answer', async () => {
    const node = await serving({ poolId: 'a' });
    node.pool('a').say(report('a', 'ready'));
    stop(node, 'drain');
    node.clock.increment(60_000 + 15_000 + 2_000 + 20_000);
    expect(node.value()).toMatchObject({ lifecycle: { draining: 'deregistering' } });
    node.clock.increment(5_000);
    expect(node.value()).toMatchObject({ lifecycle: 'stopped' });
  });

  it('before it serves has nobody to say good-bye to', () => {
    const node = drive({ boot: new Promise(() => {}) });
    stop(node, 'drain');
    expect(node.value()).toMatchObject({ lifecycle: 'stopped' });
  });
});
