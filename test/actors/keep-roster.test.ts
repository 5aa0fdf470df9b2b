import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createActor } from 'xstate';
import { keepRoster } from '../../src/actors/keep-roster.ts';
import type { RosterNote } from '../../src/machines/node/actors.ts';
import type { Cause } from '../../src/machines/vocabulary.ts';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { gpuSpec } from '../kit/gpu-facts.ts';
import { until } from '../kit/until.ts';

const specOf = (slots: number) => gpuSpec({ id: 'a', slots });

const keeping = async () => {
  const store = await openStateStore(join(await temporaryDir(), 'state'));
  const lost: Cause[] = [];
  const learned = { forget: async () => undefined };
  const logic = keepRoster({ store, learned, bootId: 'boot', hashEntry: () => 'entry', lost: (_, cause) => lost.push(cause) });
  const actor = createActor(logic, { input: {} }).start();
  onTestFinished(() => void actor.stop());
  return { store, lost, note: (note: RosterNote) => actor.send(note) };
};

const ordered = (slots: number, former: number | null, origin: 'api' | 'file' = 'api'): RosterNote => ({
  type: 'pool.redeclared',
  poolId: 'a',
  origin,
  spec: specOf(slots),
  overrides: null,
  former: former === null ? null : specOf(former),
});

it('an order stays on disk, though what the one before it came to is still being written', async () => {
  const { store, lost, note } = await keeping();
  note(ordered(2, 1));
  await store.settled();
  note(ordered(2, null));
  note(ordered(3, 2));
  await until('the declaration to be written', async () => (await store.declared.read('a'))?.slots === 2);
  await store.settled();
  expect(await store.overrides.read('a')).toMatchObject({ spec: { slots: 3 }, former: { slots: 2 } });
  note(ordered(3, null));
  await until('its record to be gone', async () => (await store.overrides.read('a')) === null);
  expect(await store.declared.read('a')).toMatchObject({ slots: 3 });
  expect(lost).toEqual([]);
});

it('nothing stays of the API once the pools file declares the pool, nor of a pool that is gone', async () => {
  const { store, lost, note } = await keeping();
  for (const last of [ordered(2, null, 'file'), { type: 'pool.forgotten', poolId: 'a' }] as const) {
    await store.declared.write('a', specOf(1));
    note(ordered(2, 1));
    note(last);
    await until('all to be gone', async () => (await store.declared.read('a')) === null && (await store.overrides.read('a')) === null);
  }
  expect(lost).toEqual([]);
});
