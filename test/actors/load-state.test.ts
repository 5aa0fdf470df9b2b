import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createActor, toPromise } from 'xstate';
import { loadState } from '../../src/actors/load-state.ts';
import { hashEntry } from '../../src/config/spec-hash.ts';
import type { PoolSpec } from '../../src/machines/vocabulary.ts';
import { openStateStore } from '../../src/state/files.ts';
import type { StateStore } from '../../src/state/store.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuRun, gpuSpec } from '../kit/gpu-facts.ts';
import { attachedOf, handoffOf, memoryOf, treeOf } from '../state/values.ts';

const opened = async (): Promise<StateStore> => openStateStore(join(await temporaryDir(), 'state'));
const hashOf = (spec: PoolSpec): string => `hash of ${spec.id}, ${spec.slots} slots`;
const specOf = (id: string, facts: Partial<PoolSpec> = {}): PoolSpec => gpuSpec({ id, ...facts });
const runOf = (poolId: string, facts: Parameters<typeof gpuRun>[0] = {}) => gpuRun({ poolId, spec: specOf(poolId), ...facts });

const load = async (store: StateStore, ...specs: readonly PoolSpec[]) => {
  const configured = () => specs.map((spec) => ({ spec, specHash: hashOf(spec) }));
  const actor = createActor(loadState({ store, configured, hashOf, hashEntry, bootId: 'boot' }), { input: {} });
  actor.subscribe({ error: () => {} });
  return toPromise(actor.start());
};
interface Berths {
  readonly first?: Remembered;
  readonly second?: Remembered;
}
/** `at`: when its engine was started; null: it does not run. */
interface Remembered {
  readonly wanted: 'up' | 'down';
  readonly at?: number | null;
}
const filesOf = async (store: StateStore, shelf: string): Promise<readonly string[]> => readdir(join(store.dir, shelf));

describe('A start', () => {
  it('with nothing on disk finds the pools of the file', async () => {
    const found = await load(await opened(), specOf('b'), specOf('a'));
    expect(found).toEqual({
      pools: ['a', 'b'].map((id) => ({
        poolId: id,
        origin: 'file',
        spec: specOf(id),
        specHash: hashOf(specOf(id)),
        overrides: null,
        former: null,
        run: null,
        memory: null,
        handoff: null,
      })),
      setAside: [],
      cleaned: [],
      at: expect.any(Number),
      mono: expect.any(Number),
    });
  });

  it('joins what was declared, recorded, remembered and attached, sorted by id', async () => {
    const store = await opened();
    await store.runs.write('filed', runOf('filed'));
    await store.memories.write('filed', memoryOf('filed'));
    await store.declared.write('api', specOf('api'));
    await store.attached.write('foreign', attachedOf('foreign'));
    await store.trees.write('filed', treeOf('filed'));
    const { pools, setAside, cleaned } = await load(store, specOf('filed', { slots: 2 }));
    const { bootId: _, ...memory } = memoryOf('filed');
    expect(pools).toMatchObject([
      { poolId: 'api', origin: 'api', spec: specOf('api'), specHash: hashOf(specOf('api')), run: null, memory: null },
      { poolId: 'filed', origin: 'file', spec: { slots: 2 }, run: runOf('filed'), memory: { ...memory, retry: null } },
      { poolId: 'foreign', origin: 'attached', spec: { id: 'foreign', devices: [0] }, handoff: handoffOf('foreign'), run: null },
    ]);
    expect(pools[2]?.specHash).toBe('hash of foreign, 4 slots');
    expect([setAside, cleaned]).toEqual([[], []]);
    expect([await filesOf(store, 'trees'), await filesOf(store, 'attached')]).toEqual([['filed.json'], ['foreign.json']]);
  });

  it.each([
    ['one that is alone, whichever berth it is in', { second: { wanted: 'up' } }, ['a--b']],
    [
      'the older of two that are wanted: the younger was still to take its place',
      { first: { wanted: 'up', at: 1 }, second: { wanted: 'up', at: 2 } },
      ['a', 'a--b'],
    ],
    ['the older also where that is the second', { first: { wanted: 'up', at: 2 }, second: { wanted: 'up', at: 1 } }, ['a--b', 'a']],
    [
      'the one that is wanted, since the other has been replaced',
      { first: { wanted: 'down', at: 1 }, second: { wanted: 'up', at: 2 } },
      ['a--b', 'a'],
    ],
    [
      'none where the wanted one has ended; the replaced one is an orphan',
      { first: { wanted: 'down', at: 1 }, second: { wanted: 'up', at: null } },
      ['a--b', 'a'],
    ],
    ['the one that runs of two that are not wanted', { first: { wanted: 'down', at: null }, second: { wanted: 'down', at: 1 } }, ['a--b']],
    ['its own berth where nothing runs', { first: { wanted: 'up', at: null }, second: { wanted: 'up', at: null } }, ['a']],
  ] as const)('takes of the engines of a pool %s', async (_, berths: Berths, expected) => {
    const store = await opened();
    for (const [berth, facts] of [['a', berths.first] as const, ['a--b', berths.second] as const]) {
      if (facts === undefined) continue;
      await store.memories.write(berth, memoryOf(berth, { wanted: facts.wanted }));
      if (facts.at !== null) await store.runs.write(berth, runOf('a', { poolId: berth, startedMono: facts.at ?? 1, incarnation: berth }));
    }
    const { pools, cleaned } = await load(store, specOf('a'));
    expect(pools.map(({ poolId }) => poolId)).toEqual(expected);
    expect(pools[0]).toMatchObject({ spec: specOf('a'), memory: { poolId: expected[0] } });
    for (const orphan of pools.slice(1)) expect(orphan).toMatchObject({ spec: null, specHash: null, run: { incarnation: orphan.poolId } });
    expect(cleaned.length).toBe(Object.keys(berths).length - expected.length);
  });

  it('goes by what was ordered of a pool over the API as long as its entry in the pools file is what it was', async () => {
    const store = await opened();
    const [filed, ordered] = [specOf('a'), specOf('a', { slots: 3 })];
    const other = specOf('a', { timeouts: { ...filed.timeouts, drain_ms: 1 } });
    await store.overrides.write('a', { version: 1, poolId: 'a', filedHash: hashEntry(filed), spec: ordered, former: null });
    expect((await load(store, filed)).pools).toMatchObject([{ origin: 'file', spec: ordered, specHash: hashOf(ordered), overrides: filed }]);
    expect(await filesOf(store, 'overrides')).toEqual(['a.json']);

    const { pools, cleaned } = await load(store, other);
    expect(pools).toMatchObject([{ origin: 'file', spec: other, specHash: hashOf(other), overrides: null }]);
    expect(cleaned).toEqual(['overrides/a.json: the pools file says something else of the pool since']);
    expect(await filesOf(store, 'overrides')).toEqual([]);
  });

  it('goes by what was ordered of a pool that was declared over the API, and knows what counted before', async () => {
    const store = await opened();
    const [declared, ordered] = [specOf('a'), specOf('a', { slots: 3 })];
    await store.declared.write('a', declared);
    await store.overrides.write('a', { version: 1, poolId: 'a', filedHash: null, spec: ordered, former: declared });
    await store.overrides.write('b', { version: 1, poolId: 'b', filedHash: null, spec: specOf('b'), former: null });
    const { pools } = await load(store);
    const former = { spec: declared, specHash: hashOf(declared) };
    expect(pools).toMatchObject([{ poolId: 'a', origin: 'api', spec: ordered, specHash: hashOf(ordered), overrides: null, former }]);
    expect(await filesOf(store, 'overrides')).toEqual(['a.json']);
  });

  it('keeps an engine whose pool nobody declares any more, with its memory, as an orphan', async () => {
    const store = await opened();
    await store.runs.write('a', runOf('a'));
    await store.memories.write('a', memoryOf('a'));
    const { pools, cleaned } = await load(store);
    expect(pools).toMatchObject([{ poolId: 'a', spec: null, specHash: null, run: { pid: 4711 }, memory: { phase: 'ready' } }]);
    expect(cleaned).toEqual([]);
  });

  it('after a reboot drops what is of the earlier boot, and keeps of the memory what outlives it', async () => {
    const store = await opened();
    await store.runs.write('a', runOf('a', { bootId: 'earlier' }));
    await store.trees.write('a', treeOf('a'));
    await store.memories.write('a', memoryOf('a', { bootId: 'earlier', wanted: 'down' }));
    await store.attached.write('b', attachedOf('b', { bootId: 'earlier' }));
    const { pools, setAside, cleaned } = await load(store, specOf('a'));
    expect(pools).toHaveLength(1);
    expect(pools[0]).toMatchObject({ poolId: 'a', run: null });
    expect(pools[0]?.memory).toEqual({
      version: 1,
      poolId: 'a',
      wanted: 'down',
      restart: { count: 3, attempt: 2, startsMono: [], opened: 1 },
      phase: null,
      proof: null,
      drain: null,
      retry: null,
    });
    expect(setAside).toEqual([]);
    expect(cleaned.map((line) => line.split(':')[0])).toEqual(['runs/a.json', 'trees/a.json', 'attached/b.json']);
    for (const shelf of ['runs', 'trees', 'attached']) expect(await filesOf(store, shelf)).toEqual([]);
    expect((await load(store, specOf('a'))).cleaned).toEqual([]);
  });

  it('keeps the times of this boot for an engine that is gone, but not its phase', async () => {
    const store = await opened();
    await store.memories.write('a', memoryOf('a'));
    const { pools } = await load(store, specOf('a'));
    expect(pools[0]?.memory).toMatchObject({ restart: { startsMono: [1_000.5, 2_000] }, phase: null, proof: null, drain: null });
  });

  it.each([
    ['less', memoryOf('a--b', { restart: { count: 1, attempt: 0, startsMono: [], opened: 0 } })],
    ['nothing', null],
  ])('goes on with the restarts of the engine that was replaced, where of the new one %s was written', async (_, second) => {
    const store = await opened();
    await store.memories.write('a', memoryOf('a', { wanted: 'down' }));
    await store.runs.write('a--b', runOf('a--b', { spec: specOf('a') }));
    if (second !== null) await store.memories.write('a--b', second);
    expect((await load(store, specOf('a'))).pools).toMatchObject([{ poolId: 'a--b', memory: { wanted: 'up', restart: { count: 3, attempt: 0 } } }]);
    expect(await filesOf(store, 'pools')).toEqual(['a--b.json']);
    expect((await store.memories.read('a--b'))?.restart.count).toBe(3);
  });

  it('keeps the memory of the engine that was replaced where its count cannot be written down for the new one', async () => {
    const store = await opened();
    await store.memories.write('a', memoryOf('a', { wanted: 'down' }));
    await store.runs.write('a--b', runOf('a--b', { spec: specOf('a') }));
    const full: StateStore = { ...store, memories: { ...store.memories, write: () => Promise.reject(new Error('ENOSPC')) } };
    const { pools, setAside } = await load(full, specOf('a'));
    expect(pools).toMatchObject([{ poolId: 'a--b', memory: { restart: { count: 3 } } }]);
    expect(setAside).toMatchObject([{ code: 'state_store_failed' }]);
    expect(await filesOf(store, 'pools')).toEqual(['a.json']);
  });

  it('clears away memories and trees of pools that are nowhere, and what cut off writes left', async () => {
    const store = await opened();
    const leftover = `.a.json.${'0'.repeat(12)}-${'1'.repeat(16)}.tmp`;
    await store.memories.write('gone', memoryOf('gone'));
    await store.runs.write('a', runOf('a', { incarnation: 'two' }));
    await store.trees.write('a', treeOf('a', { incarnation: 'one' }));
    await writeFile(join(store.dir, 'runs', leftover), '{"vers');
    const { pools, cleaned } = await load(store, specOf('a'));
    expect(pools.map(({ poolId }) => poolId)).toEqual(['a']);
    expect(cleaned.map((line) => line.split(':')[0])).toEqual([`runs/${leftover}`, 'trees/a.json', 'pools/gone.json']);
    expect([await filesOf(store, 'pools'), await filesOf(store, 'trees'), await filesOf(store, 'runs')]).toEqual([[], [], ['a.json']]);
  });

  it('clears away the FIFO of a start that was cut off before its record was there', async () => {
    const store = await opened();
    await mkdir(join(store.dir, 'exits'));
    for (const name of ['a.one', 'a.two']) await writeFile(join(store.dir, 'exits', name), '');
    await store.runs.write('a', runOf('a', { incarnation: 'two', exitFifo: join(store.dir, 'exits', 'a.two') }));
    const { cleaned } = await load(store, specOf('a'));
    expect(cleaned).toEqual(['exits/a.one: of a start that was cut off']);
    expect(await filesOf(store, 'exits')).toEqual(['a.two']);
  });

  it('lets the pools file take over what was declared over the API', async () => {
    const store = await opened();
    await store.declared.write('a', specOf('a', { slots: 8 }));
    const { pools, setAside, cleaned } = await load(store, specOf('a', { slots: 2 }));
    expect(pools).toMatchObject([{ poolId: 'a', origin: 'file', spec: { slots: 2 } }]);
    expect([setAside, cleaned]).toEqual([[], ['declared/a.json: the pools file declares the pool now']]);
    expect(await filesOf(store, 'declared')).toEqual([]);
  });

  it('lets a declaration win over what was attached', async () => {
    const store = await opened();
    await store.attached.write('a', attachedOf('a'));
    const { pools, cleaned } = await load(store, specOf('a'));
    expect(pools).toMatchObject([{ poolId: 'a', origin: 'file', handoff: null }]);
    expect(cleaned).toEqual([expect.stringContaining('attached/a.json')]);
    expect(await filesOf(store, 'attached')).toEqual([]);
  });
});

describe('Damaged files', () => {
  it('are set aside and named one by one, and everything else is found', async () => {
    const store = await opened();
    for (const shelf of ['runs', 'pools', 'declared', 'attached', 'trees']) await writeFile(join(store.dir, shelf, 'a.json'), '{');
    await store.runs.write('b', runOf('b'));
    const { pools, setAside } = await load(store, specOf('a'), specOf('b'));
    expect(pools).toMatchObject([
      { poolId: 'a', run: null, memory: null },
      { poolId: 'b', run: { pid: 4711 } },
    ]);
    expect(setAside.map(({ message }) => /state\/(\w+)\/a\.json/.exec(message)?.[1])).toEqual(['runs', 'pools', 'declared', 'attached', 'trees']);
  });

  it('do not cost a pool its engine: its declaration over the API is known from the run record, and written again', async () => {
    const store = await opened();
    await store.runs.write('a', runOf('a', { specHash: hashOf(specOf('a')) }));
    await writeFile(join(store.dir, 'declared', 'a.json'), 'damaged');
    const { pools, setAside } = await load(store);
    expect(pools).toMatchObject([{ poolId: 'a', origin: 'api', spec: specOf('a'), specHash: hashOf(specOf('a')), run: { pid: 4711 } }]);
    expect(setAside).toHaveLength(1);
    expect(await store.declared.read('a')).toEqual(specOf('a'));
  });

  it('are fatal only where a whole folder cannot be read, since engines unknown of would be started twice', async () => {
    const store = await opened();
    await rm(join(store.dir, 'runs'), { recursive: true });
    await expect(load(store, specOf('a'))).rejects.toEqual({
      cause: expect.objectContaining({ code: 'state_store_failed', message: expect.stringContaining('POOL_MANAGERD_STATE_DIR') }),
      at: expect.any(Number),
      mono: expect.any(Number),
    });
  });
});
