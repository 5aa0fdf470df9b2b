/** A directory of its own for one demo: pools file, state, handoff files, engine, log. Writes and removes; starts nothing. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { DemoEngine } from './engine-choice.ts';
import { writeStubExecutable } from './stub-executable.ts';

export interface House {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly poolsFile: string;
  /** What the daemon writes to its standard output and error. */
  readonly logFile: string;
  readonly journalFile: string;
  readonly remove: () => Promise<void>;
}

/** The pool that is walked through its states, or that a person tries things on. */
export const mainPool = 'chat';

interface Furnished {
  readonly id: string;
  readonly devices: readonly number[];
  readonly slots: number;
  readonly preload: boolean;
  /** Size of the file that stands for a model, for the stub: it takes no room on the disk. */
  readonly pretendedGiB: number;
}

/** On a tour the main pool waits until it is started, so that its first state is seen too. */
const poolsOf = (tour: boolean): readonly Furnished[] => [
  { id: mainPool, devices: [0], slots: 4, preload: !tour, pretendedGiB: 7 },
  { id: 'code', devices: [1], slots: 2, preload: true, pretendedGiB: 13 },
  { id: 'large', devices: [0, 1], slots: 2, preload: false, pretendedGiB: 18 },
];

const gibibyte = 1024 ** 3;

export const buildHouse = async (engine: DemoEngine, tour: boolean): Promise<House> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-demo-'));
  const house: House = {
    stateDir: join(dir, 'state'),
    runtimeDir: join(dir, 'engines'),
    poolsFile: join(dir, 'pools.yaml'),
    logFile: join(dir, 'daemon.log'),
    journalFile: join(dir, 'state', 'journal', 'events.jsonl'),
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
  try {
    const pools = poolsOf(tour);
    const executable = engine.kind === 'stub' ? await writeStubExecutable(join(dir, 'stub')) : engine.executable;
    const models = engine.kind === 'stub' ? await Promise.all(pools.map((pool) => pretendModel(dir, pool))) : pools.map(() => engine.model);
    await writeFile(house.poolsFile, stringify({ version: 1, pools: pools.map((pool, at) => declared(pool, executable, models[at])) }));
    return house;
  } catch (thrown) {
    await house.remove();
    throw thrown;
  }
};

/** Short limits, so that what happens is soon seen. */
const declared = ({ id, devices, slots, preload }: Furnished, executable: string, model: string | undefined): object => ({
  id,
  engine: 'llamacpp',
  model,
  devices,
  slots,
  ctx: 2048,
  preload,
  provisioning: { mode: 'external', executable },
  timeouts: { drain_ms: 10_000, stop_ms: 5_000, vram_release_ms: 5_000 },
  health: { interval_ms: 250, timeout_ms: 5_000 },
});

/** Its path as seen from the pools file. */
const pretendModel = async (dir: string, { id, pretendedGiB }: Furnished): Promise<string> => {
  const name = `${id}-${pretendedGiB}b-stub.gguf`;
  await writeFile(join(dir, name), '');
  await truncate(join(dir, name), pretendedGiB * gibibyte);
  return name;
};
