/** A daemon's way with engines, without the daemon: state on disk, launcher, trees, ports. Whatever it started ends with the test. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Trees, trees } from '../../src/actors/launch/descendants.ts';
import { detachedLauncher } from '../../src/actors/launch/detached.ts';
import { type Ports, portLeases } from '../../src/actors/launch/ports.ts';
import type { Launcher, RunFacts } from '../../src/actors/launcher.ts';
import type { LaunchPlan } from '../../src/engines/adapter.ts';
import type { PoolSpec, RunRecord } from '../../src/machines/vocabulary.ts';
import { bootId } from '../../src/os/boot-id.ts';
import { processLooker } from '../../src/os/process-table.ts';
import { openStateStore } from '../../src/state/files.ts';
import type { StateStore } from '../../src/state/store.ts';
import { temporaryDir } from './engine-process.ts';
import { gpuRun, gpuSpec } from './gpu-facts.ts';

export interface EngineHouse {
  readonly dir: string;
  readonly state: StateStore;
  readonly trees: Trees;
  readonly launcher: Launcher;
  readonly ports: Ports;
  createLog(poolId: string, incarnation: string): Promise<string>;
  /** Starts a fixture by the launcher alone. */
  start(program: string, argv?: readonly string[], facts?: Partial<RunFacts>): Promise<RunRecord>;
}

const engines = resolve(import.meta.dirname, '../fixtures/engines');
const minimalEnv = { PATH: '/usr/local/bin:/usr/bin:/bin' };
let runs = 0;

export const fixtureEngine = (name: string): string => join(engines, name);

/** A fixture in JavaScript is run by this very Node. */
export const planOf = (program: string, argv: readonly string[] = [], env: LaunchPlan['env'] = minimalEnv): LaunchPlan =>
  program.endsWith('.mjs')
    ? { executable: process.execPath, argv: [fixtureEngine(program), ...argv], env }
    : { executable: fixtureEngine(program), argv, env };

/** A pool of kind `custom`, with short deadlines. */
export const customSpec = (facts: Partial<PoolSpec> = {}): PoolSpec => {
  const spec = gpuSpec({
    engine: 'custom',
    model: null,
    custom: { health_path: '/health', progress_path: null, in_flight: null, token: null },
    ...facts,
  });
  return { ...spec, timeouts: { ...spec.timeouts, stop_ms: 2_000, ...facts.timeouts } };
};

/** Opened twice on one folder it is a daemon and the next one. */
export const engineHouse = async (folder?: string): Promise<EngineHouse> => {
  const dir = folder ?? (await temporaryDir());
  const state = await openStateStore(join(dir, 'state'));
  const looked = trees({ look: processLooker(), shelf: state.trees, bootId: bootId() });
  const launcher = detachedLauncher({ stateDir: state.dir, runs: state.runs, trees: looked, bootId: bootId() });
  const started: RunRecord[] = [];
  onTestFinished(async () => {
    const { values } = await state.runs.list();
    for (const run of [...started, ...values]) await launcher.stop(run, { signal: 'SIGTERM', graceMs: 0, killWaitMs: 5_000 });
    await state.settled();
  });
  const createLog = async (poolId: string, incarnation: string): Promise<string> => {
    await mkdir(join(dir, 'logs'), { recursive: true });
    const path = join(dir, 'logs', `${poolId}.${incarnation}.log`);
    await writeFile(path, '');
    return path;
  };
  return {
    dir,
    state,
    trees: looked,
    launcher,
    ports: portLeases({ range: { first: 18_600, last: 18_699 } }),
    createLog,
    start: async (program, argv = [], facts = {}) => {
      runs += 1;
      const incarnation = `run${runs}`;
      const {
        pid: _pid,
        startTime: _start,
        launcher: _launcher,
        exitFifo: _fifo,
        startedAt: _at,
        startedMono: _mono,
        unit: _unit,
        invocationId: _id,
        ...rest
      } = gpuRun({ spec: customSpec(), engine: 'custom', incarnation, bootId: bootId(), logFile: await createLog('pool-0', incarnation) });
      const run = await launcher.start(planOf(program, argv), { ...rest, ...facts });
      started.push(run);
      return run;
    },
  };
};
