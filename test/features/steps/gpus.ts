/** Where facts about cards come from, with a scripted nvidia-smi. */
import { Given, Then, When } from 'quickpickle';
import { expect } from 'vitest';
import { chooseSource } from '../../../src/gpu/choose-source.ts';
import { refuseWithoutGpu } from '../../../src/gpu/no-gpu.ts';
import type { Inventory } from '../../../src/machines/vocabulary.ts';
import { fakeNvidiaSmi } from '../../kit/nvidia-smi.ts';
import type { World } from './world.ts';

const paths = new WeakMap<World, Readonly<Record<string, string>>>();
const outcomes = new WeakMap<World, { readonly inventory?: Inventory; readonly problem?: string }>();

Given('a driver whose nvidia-smi lists {int} cards', async (world: World, count: number) => {
  const fake = await fakeNvidiaSmi({ cards: Array.from({ length: count }, () => ({ name: 'NVIDIA L4', totalMiB: 23_034 })) });
  world.context.onTestFinished(fake.remove);
  paths.set(world, fake.env);
});
Given('no nvidia-smi on the PATH', (world: World) => void paths.set(world, { PATH: '/nowhere' }));

When('the cards are looked for by {word}', async (world: World, kind: string) => {
  const chosen = chooseSource(
    { kind: kind as 'auto' | 'nvml' },
    { runs: async () => [], isAlive: async () => false, nvidiaSmi: { env: paths.get(world) ?? {} } },
  );
  if (!chosen.ok) return void outcomes.set(world, { problem: chosen.mistake });
  world.context.onTestFinished(() => chosen.source.close());
  const read = await chosen.source.read(5_000);
  outcomes.set(world, 'gpus' in read ? { inventory: read } : { problem: `${read.code}: ${read.message}` });
});
When('a machine without a display device of NVIDIA is judged', (world: World) => {
  outcomes.set(world, { problem: refuseWithoutGpu({ root: '/sys/bus/pci/devices', devices: 12, nvidiaDisplays: [], wslDevice: null }, 0) ?? '' });
});

Then('{int} cards are known, each with UUID, name and memory', (world: World, count: number) => {
  const gpus = outcomes.get(world)?.inventory?.gpus ?? [];
  expect(gpus.length).toBe(count);
  for (const gpu of gpus) expect(gpu).toMatchObject({ uuid: expect.stringMatching(/^GPU-/), name: 'NVIDIA L4' });
});
Then('it is refused with {string}', (world: World, words: string) => expect(outcomes.get(world)?.problem).toContain(words));
