/**
 * One chaos run: a daemon with many pools, steps from a seed, everything looked at from outside after each; at the end all is
 * healed, what is sound becomes ready, all is drained, and nothing is left. The first violation ends it.
 */
import { readdirSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startOrchestratorStandIn } from '../../src/demo/orchestrator-stand-in.ts';
import type { PoolStatus } from '../../src/machines/views.ts';
import { type House, openHouse } from '../kit/daemon.ts';
import { freePorts, isFree } from '../kit/free-ports.ts';
import { apiIds, awkward, filePools, largeBytes, smallBytes, sound } from './faces.ts';
import { type Keeper, keepDaemon } from './keeper.ts';
import { type Look, lookAt } from './look.ts';
import { engineProcesses } from './outside.ts';
import { createPerformer, writeModels } from './perform.ts';
import { chanceFrom } from './random.ts';
import { described, type Planned, plan, portCount } from './steps.ts';
import { clients, handoffs } from './surroundings.ts';
import { startWatch } from './watch.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly steps: number;
  readonly say?: (line: string) => void;
  /** Where the folder of a run that was violated is copied to, for people. */
  readonly keep?: string;
}

export interface ChaosReport {
  readonly seed: number;
  /** Steps done. */
  readonly done: number;
  /** Empty: everything held. */
  readonly violations: readonly string[];
  /** The latest steps, when each began, in seconds. */
  readonly trail: readonly string[];
  readonly lives: number;
  readonly engines: number;
  readonly looks: number;
  readonly transitions: number;
  readonly folded: number;
}

class Violated extends Error {}

const lookEveryMs = 150;
const trailLength = 25;
const healMs = 60_000;

export const runChaos = async ({ seed, steps, say = () => undefined, keep }: ChaosOptions): Promise<ChaosReport> => {
  const begun = performance.now();
  const violations: string[] = [];
  const trail: string[] = [];
  const incarnations = new Set<string>();
  let looks = 0;
  let done = 0;
  const violated = (text: string): void => void violations.push(text);

  const ports = await freePorts(portCount);
  const orchestrator = await startOrchestratorStandIn({ nextHeartbeatMs: 2_000 });
  const house = { ...(await openHouse({ POOL_MANAGERD_PORT_RANGE: `${ports.first}-${ports.last}`, ORCHESTRATORD_URL: orchestrator.url })), ports };
  const models = await writeModels(house.dir, { small: smallBytes, large: largeBytes });
  const keeper = keepDaemon({ house, env: {}, violated });
  const watch = startWatch();
  const strangers = handoffs(house.runtimeDir);
  const requests = clients();
  const subject = { stateDir: house.stateDir, daemonPids: keeper.pids, daemon: keeper.daemon };
  const look = (): Promise<Look> => lookAt(subject);
  const performer = createPerformer({
    house,
    models,
    keeper,
    handoffs: strangers,
    clients: requests,
    orchestrator,
    violated,
    mayCountAnew: watch.mayCountAnew,
    look,
  });

  /** Throws at the first violation. */
  const inspect = async (): Promise<Look> => {
    const seen = await look();
    looks += 1;
    for (const { incarnation } of seen.records) incarnations.add(incarnation);
    for (const text of watch.take(seen)) violated(text);
    if (violations.length > 0) throw new Violated();
    return seen;
  };

  const rest = async (ms: number): Promise<void> => {
    const limit = performance.now() + ms;
    do {
      await inspect();
      await wait(Math.max(0, Math.min(lookEveryMs, limit - performance.now())));
    } while (performance.now() < limit);
  };

  /** Everything that must hold goes on holding while something is waited for. */
  const eventually = async (what: string, holds: (seen: Look) => boolean): Promise<void> => {
    const limit = performance.now() + healMs;
    for (;;) {
      const seen = await inspect();
      if (holds(seen)) return;
      if (performance.now() > limit) {
        violated(
          `waited ${healMs} ms for ${what}: ${JSON.stringify(seen.api?.pools.map(stateOf))}, processes ${seen.processes.map(({ pid }) => pid)}`,
        );
        throw new Violated();
      }
      await wait(lookEveryMs);
    }
  };

  const note = (text: string): void => {
    trail.push(`${((performance.now() - begun) / 1000).toFixed(1)} ${text}`);
    if (trail.length > trailLength) trail.shift();
    say(trail.at(-1) ?? '');
  };

  const misbehave = async (planned: readonly Planned[]): Promise<void> => {
    for (const [index, { step, restMs }] of planned.entries()) {
      await performer.letGo(index);
      note(`${index}: ${described(step)}`);
      await performer.perform(step, index);
      done += 1;
      await rest(restMs);
    }
  };

  const heal = async (): Promise<void> => {
    note('heal');
    await performer.letGo(Number.POSITIVE_INFINITY);
    await performer.perform({ do: 'orchestrator', turns: 'up' }, steps);
    await performer.perform({ do: 'orchestrator', turns: 'heals' }, steps);
    const serving = [...sound, ...Object.keys(awkward)];
    await performer.declareOnly(serving);
    for (const pool of apiIds) await performer.perform({ do: 'order', pool, order: 'remove' }, steps);
    await eventually(
      'pools that are not sound to be gone',
      ({ api }) => own(api?.pools).every(({ pool_id }) => serving.includes(pool_id)) && api !== null,
    );
    for (const pool of serving) await performer.perform({ do: 'order', pool, order: 'preload' }, steps);
    await eventually('all sound pools to be ready', ({ api }) => serving.every((id) => api?.pools.some((pool) => pool.pool_id === id && pool.ready)));
    await eventually('registration', ({ api }) => api?.node.registration.state === 'registered' && orchestrator.node('node-0')?.online === true);
    await eventually('orchestratord to know them ready', () => serving.every((id) => orchestrator.node('node-0')?.pools[id]?.ready === true));
  };

  const drainAll = async (): Promise<void> => {
    note('drain all');
    await requests.leave();
    const seen = await inspect();
    for (const { pool_id: pool } of own(seen.api?.pools)) await performer.perform({ do: 'drain', pool, deadlineMs: 500 }, steps);
    await eventually(
      'all pools to be stopped',
      ({ api }) => api !== null && own(api.pools).every(({ state, substate }) => `${state}.${substate}` === 'offline.stopped'),
    );
    await eventually('no process to be left', ({ processes, records }) => processes.length === 0 && records.length === 0);
    await keeper.end('SIGTERM', null);
    for (const folder of ['runs', 'trees', 'exits']) {
      const left = readdirSync(join(house.stateDir, folder));
      if (left.length > 0) violated(`left in ${folder}: ${left.join(' ')}`);
    }
    const stillLeft = house.left();
    if (stillLeft.length > 0) violated(`processes are left: ${stillLeft.join(' ')}`);
    const taken = await Promise.all(
      Array.from({ length: portCount }, async (_, index) => ((await isFree(ports.first + index)) ? [] : [ports.first + index])),
    );
    if (taken.flat().length > 0) violated(`ports are taken: ${taken.flat().join(' ')}`);
  };

  try {
    await house.declare(filePools(models));
    await keeper.start();
    await misbehave(plan(chanceFrom(seed), steps));
    await heal();
    await drainAll();
  } catch (thrown) {
    if (!(thrown instanceof Violated)) violated(`the run broke: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  }
  try {
    if (violations.length > 0 && keep !== undefined) await keepFolder(house, keeper, join(keep, `chaos-${seed}`));
    await keeper.letGo();
    await performer.letGo(Number.POSITIVE_INFINITY);
    await requests.leave();
    await strangers.close();
    await orchestrator.close();
  } finally {
    await house.close();
  }
  const sum = (key: 'transitions' | 'folded'): number => keeper.lives.reduce((total, life) => total + life[key], 0);
  return {
    seed,
    done,
    violations,
    trail,
    lives: keeper.lives.length,
    engines: incarnations.size,
    looks,
    transitions: sum('transitions'),
    folded: sum('folded'),
  };
};

/** As it is at the violation: nothing in it moves any more. */
const keepFolder = async ({ dir, stateDir }: House, keeper: Keeper, to: string): Promise<void> => {
  await writeFile(join(dir, 'processes.json'), JSON.stringify(engineProcesses(stateDir, keeper.pids()), null, 1));
  await keeper.letGo();
  await rm(to, { recursive: true, force: true });
  await cp(dir, to, { recursive: true, filter: (path) => !path.endsWith('.gguf') && !path.includes('/exits/') });
};

const own = (pools: readonly PoolStatus[] | undefined): readonly PoolStatus[] => (pools ?? []).filter(({ origin }) => origin !== 'attached');
const stateOf = ({ pool_id: id, state, substate, reason }: PoolStatus): string => `${id} ${state}.${substate} ${reason?.code ?? ''}`;
