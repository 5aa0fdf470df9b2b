import { readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createActor, setup } from 'xstate';
import { keepMemory } from '../../src/actors/keep-memory.ts';
import type { Cause, PoolMemory } from '../../src/machines/vocabulary.ts';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { until } from '../kit/until.ts';
import { memoryOf } from '../state/values.ts';

const nth = (count: number): PoolMemory => {
  const { bootId: _, ...memory } = memoryOf('pool-0', { restart: { count, attempt: 0, startsMono: [], opened: 0 } });
  return memory;
};

/** `breakDisk` takes the folder away, `healDisk` puts it back. */
const keeping = async (retryMs = 20) => {
  const store = await openStateStore(join(await temporaryDir(), 'state'));
  const [events, lost]: [{ type: string; cause?: Cause; mono?: number }[], (readonly [string, Cause])[]] = [[], []];
  const logic = keepMemory({ memories: store.memories, bootId: 'this-boot', lost: (...told) => lost.push(told), retryMs });
  const parent = setup({ actors: { keepMemory: logic } }).createMachine({
    invoke: { id: 'memory', src: 'keepMemory', input: { poolId: 'pool-0' } },
    on: { '*': { actions: ({ event }) => events.push(event) } },
  });
  const actor = createActor(parent).start();
  onTestFinished(() => void actor.stop());
  const folder = join(store.dir, 'pools');
  return {
    store,
    events,
    lost,
    tell: (count: number) => actor.getSnapshot().children['memory']?.send({ type: 'memory.changed', memory: nth(count) }),
    stop: () => actor.stop(),
    breakDisk: async () => {
      await rename(folder, `${folder}.away`);
      await writeFile(folder, 'in the way');
    },
    healDisk: async () => {
      await rename(folder, `${folder}.not-a-folder`);
      await rename(`${folder}.away`, folder);
    },
    kept: async () => (await store.memories.read('pool-0').catch(() => null))?.restart.count ?? null,
  };
};

describe('The memory of a pool', () => {
  it('is on disk with the boot it is of, the newest last, and nothing is said of it', async () => {
    const memory = await keeping();
    for (let count = 1; count <= 50; count += 1) memory.tell(count);
    await until('the newest', async () => (await memory.kept()) === 50);
    expect(await memory.store.memories.read('pool-0')).toEqual({ ...nth(50), bootId: 'this-boot' });
    expect(memory.events).toEqual([]);
  });

  it('that cannot be written is told at each failure, tried again by itself, and told once when it works', async () => {
    const memory = await keeping();
    await memory.breakDisk();
    memory.tell(1);
    memory.tell(2);
    await until('three failures', () => memory.events.length >= 3);
    await memory.healDisk();
    await until('memory.kept', () => memory.events.at(-1)?.type === 'memory.kept');
    expect(await memory.kept()).toBe(2);
    expect(memory.events.slice(0, -1).every(({ type }) => type === 'memory.failed')).toBe(true);
    expect(memory.events[0]).toMatchObject({
      cause: { code: 'state_store_failed', message: expect.stringContaining('pools/pool-0.json') },
      mono: expect.any(Number),
    });
    const said = memory.events.length;
    memory.tell(3);
    await until('the next', async () => (await memory.kept()) === 3);
    expect(memory.events).toHaveLength(said);
  });

  it('told while the disk fails waits for the next try instead of hammering it', async () => {
    const memory = await keeping(60_000);
    await memory.breakDisk();
    memory.tell(1);
    await until('the failure', () => memory.events.length === 1);
    await memory.healDisk();
    memory.tell(2);
    await memory.store.settled();
    expect(await memory.kept()).toBeNull();
    memory.stop();
    await until('the last try', async () => (await memory.kept()) === 2);
  });

  it('told last before the end is still written', async () => {
    const memory = await keeping();
    memory.tell(1);
    memory.tell(2);
    memory.tell(3);
    memory.stop();
    await until('the last', async () => (await memory.kept()) === 3);
    expect([memory.events, memory.lost]).toEqual([[], []]);
  });

  it('that cannot be written at the end is lost, which is said once, and no timer goes on', async () => {
    const memory = await keeping();
    await memory.breakDisk();
    memory.tell(1);
    await until('the failure', () => memory.events.length >= 1);
    memory.stop();
    await until('the loss', () => memory.lost.length === 1);
    expect(memory.lost).toEqual([['pool-0', expect.objectContaining({ code: 'state_store_failed' })]]);
    await memory.healDisk();
    expect(await readdir(join(memory.store.dir, 'pools'))).toEqual([]);
  });
});
