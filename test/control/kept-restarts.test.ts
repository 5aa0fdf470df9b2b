/** A restart counts once it is on disk, and not before. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createKeptRestarts, shownRestarts } from '../../src/control/kept-restarts.ts';
import { openStateStore } from '../../src/state/files.ts';
import { temporaryDir } from '../kit/engine-process.ts';
import { memoryOf } from '../state/values.ts';

const counted = (count: number) => ({ ...memoryOf('a'), restart: { ...memoryOf('a').restart, count } });

it('Restarts are those on disk: a write under way or one that failed does not count, and what is removed counts from nothing', async () => {
  const { memories } = await openStateStore(join(await temporaryDir(), 'state'));
  const kept = createKeptRestarts(memories);
  expect(kept.of('a')).toBe(0);
  const writing = kept.memories.write('a', counted(1));
  expect(kept.of('a')).toBe(0);
  await writing;
  const version = kept.version();
  expect(kept.of('a')).toBe(1);
  await kept.memories.write('a', counted(1));
  expect(kept.version()).toBe(version);

  const broken = createKeptRestarts({ ...memories, write: () => Promise.reject(new Error('no')) });
  await broken.memories.list();
  await expect(broken.memories.write('a', counted(2))).rejects.toThrow('no');
  expect(broken.of('a')).toBe(1);

  await kept.memories.remove('a');
  expect(kept.of('a')).toBe(0);
  expect(await kept.memories.read('a')).toBeNull();
});

describe('what is shown', () => {
  it.each([
    ['what is on disk, when the last failure is not yet', { berth: 'a', restarts: 3 }, 2, { berth: 'a', restarts: 2 }, 2],
    ['what is on disk, where nothing was shown before', { berth: 'a', restarts: 3 }, 3, null, 3],
    ['the count of the engine that has made way, before the new one is told it', { berth: 'a--b', restarts: 0 }, 0, { berth: 'a', restarts: 22 }, 22],
    ['the same once it is told it, and nothing of that is on disk', { berth: 'a--b', restarts: 22 }, 0, { berth: 'a--b', restarts: 22 }, 22],
    ['what a pool counts that was declared anew in the same place', { berth: 'a', restarts: 0 }, 0, { berth: 'a', restarts: 22 }, 0],
  ])('is %s', (_, now, kept, before, shown) => {
    expect(shownRestarts(now, kept, before)).toBe(shown);
  });
});
