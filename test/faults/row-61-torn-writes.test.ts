/** Handoff files written thousands of times, whole and in pieces, while they are watched: nothing is ever read but what was written. */
import { open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createActor, setup } from 'xstate';
import { watchHandoffs } from '../../src/actors/watch-handoffs.ts';
import type { HandoffEvent } from '../../src/machines/events.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { until } from '../kit/until.ts';

const writes = 2_500;

/** Every part of it tells the number, from end to end. */
const contentOf = (poolId: string, number: number): string =>
  JSON.stringify({
    pool_id: poolId,
    slots: 1 + (number % 1_000),
    endpoint: `http://127.0.0.1:${10_000 + number}`,
    padding: 'x'.repeat(number % 3_000),
    ready: number % 2 === 0,
    incarnation: `n-${number}`,
  });

const writeWhole = async (dir: string, number: number): Promise<void> => {
  await writeFile(join(dir, '.whole.tmp'), contentOf('whole', number));
  await rename(join(dir, '.whole.tmp'), join(dir, 'whole.json'));
};

/** As a writer does that knows no better: emptied, then written piece by piece. */
const writeTorn = async (dir: string, number: number): Promise<void> => {
  const text = contentOf('torn', number);
  const file = await open(join(dir, 'torn.json'), 'w');
  try {
    for (let at = 0; at < text.length; at += 700) await file.write(text.slice(at, at + 700));
  } finally {
    await file.close();
  }
};

it('thousands of renamed and torn writes are read as they were written or not at all (row 61)', { timeout: 60_000 }, async ({ onTestFinished }) => {
  const dir = await temporaryDir();
  const events: HandoffEvent[] = [];
  const watch = watchHandoffs({ runtimeDir: dir, intervalMs: 100, autoDelete: false, rules: { allowedHosts: [] } });
  const actor = createActor(
    setup({ actors: { watch } }).createMachine({
      invoke: { src: 'watch', input: {} },
      on: { '*': { actions: ({ event }) => events.push(event as unknown as HandoffEvent) } },
    }),
  ).start();
  onTestFinished(() => void actor.stop());

  for (let number = 1; number <= writes; number += 1) await Promise.all([writeWhole(dir, number), writeTorn(dir, number)]);
  const seen = (poolId: string) =>
    events.flatMap((event) => (event.type === 'handoff.appeared' && event.handoff.poolId === poolId ? [event.handoff] : []));
  for (const poolId of ['whole', 'torn']) {
    await until(`the last of ${poolId}`, () => seen(poolId).at(-1)?.incarnation === `n-${writes}`);
    const numbers = seen(poolId).map((handoff) => Number(handoff.incarnation?.slice(2)));
    expect(numbers, 'never an older one after a newer one, none twice').toEqual([...new Set(numbers)].sort((one, other) => one - other));
    for (const [index, handoff] of seen(poolId).entries())
      expect(handoff).toMatchObject({
        slotsTotal: 1 + ((numbers[index] ?? 0) % 1_000),
        endpoint: `http://127.0.0.1:${10_000 + (numbers[index] ?? 0)}`,
        ready: (numbers[index] ?? 0) % 2 === 0,
      });
  }
  expect(seen('whole').length, 'of files that are replaced whole').toBeGreaterThan(10);
  expect(events.filter(({ type }) => type === 'handoff.rejected')).toEqual([]);
});
