/** Engines that a scenario has noted, to compare with later. */
import type { EngineRun } from '../../kit/daemon.ts';
import type { World } from './world.ts';

const noted = new WeakMap<World, Map<string, EngineRun | null>>();

export const keep = (world: World, name: string, run: EngineRun | null): void => {
  const runs = noted.get(world) ?? new Map<string, EngineRun | null>();
  noted.set(world, runs.set(name, run));
};

export const recall = (world: World, name: string): EngineRun => {
  const run = noted.get(world)?.get(name);
  if (run === undefined || run === null) throw new Error(`expected "the engine of pool "${name}" is noted" while it ran`);
  return run;
};
