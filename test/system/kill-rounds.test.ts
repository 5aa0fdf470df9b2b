/**
 * A daemon that is killed again and again, at any moment and while it starts, with eight engines under load: nobody notices.
 *
 * KILL_ROUNDS says how often; 100 is what is promised. Three of the engines are real llama-servers, where there is one.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { manyFaced, pool } from '../chaos/faces.ts';
import { chanceFrom } from '../chaos/random.ts';
import { type Daemon, type Declared, daemonHouse, type House } from '../kit/daemon.ts';
import { executableUnderTest } from '../kit/executable-under-test.ts';
import { freePorts } from '../kit/free-ports.ts';
import { realEngine, tinyModel } from '../kit/llama-server.ts';
import { startLoad } from '../kit/steady-load.ts';

const rounds = Number(process.env['KILL_ROUNDS'] ?? 25);
const seed = Number(process.env['KILL_SEED'] ?? 20_260);
const count = 8;
/** What a daemon that refuses its configuration takes from beginning to end on two idle cores. */
const idleStartMs = 250;
const restart = { initial_ms: 100, max_ms: 1_000 };

const timeout = 120_000 + rounds * 4_000;
const isReal = realEngine !== null && tinyModel !== null;

it(
  'Eight engines under load, three of them real, live through rounds of kill -9: same pids, no stream cut, no restart counted, ready again within a second (rows 2, 3)',
  {
    timeout,
  },
  (t) => (isReal ? killAgainAndAgain(3) : t.skip('there is no llama-server, or no tiny model, on this machine')),
);

it('Eight stub engines under load live through rounds of kill -9 where there is no real one', { timeout }, (t) =>
  isReal ? t.skip('three of the eight are real here') : killAgainAndAgain(0),
);

const killAgainAndAgain = async (real: number): Promise<void> => {
  const ports = await freePorts(2 * count);
  const house = await daemonHouse({ onTestFinished }, { POOL_MANAGERD_PORT_RANGE: `${ports.first}-${ports.last}` }, await executableUnderTest());
  const pools = declared(house, real);
  const ids = pools.map(({ id }) => id);
  await house.declare(pools);
  let daemon = await house.start();
  await daemon.ready(...ids);
  const runs = ids.map((id) => house.run(id));
  const load = startLoad(runs.map((run, index) => ({ endpoint: run?.endpoint ?? '', tokens: 40, pauseMs: index < real ? 300 : 20 })));

  const chance = chanceFrom(seed);
  const took: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await wait(chance.between(0, 900));
    await daemon.end('SIGKILL');
    if (round % 3 === 2) await killStarting(house, chance.between(20, 700));
    const begun = performance.now();
    daemon = await house.start();
    const ready = await readyAgain(daemon, ids);
    took.push(performance.now() - begun);
    expect(ready.map(({ restarts }) => restarts)).toEqual(ids.map(() => 0));
    expect(ids.map((id) => house.run(id))).toEqual(runs);
  }

  const { whole, cut } = await load.end();
  console.log(
    `${rounds} kills, seed ${seed}: ready again after ${described(took)} from the start of the process; ${whole} streams whole, ${cut.length} cut`,
  );
  expect(cut).toEqual([]);
  expect(whole).toBeGreaterThan(rounds);
  expect(house.left()).toHaveLength(count);
  // A second on a machine that has time: one on which a process begins as slowly as others let it is measured by that.
  expect(median(took)).toBeLessThan(1_000 * Math.max(1, (await bareStart(house)) / idleStartMs));
};

const declared = (house: House, real: number): readonly Declared[] =>
  Array.from({ length: count }, (_, index) => {
    const devices = [index % 2];
    if (index < real)
      return house.stub(`real-${index}`, {
        devices,
        model: tinyModel,
        ctx: 2_048,
        // On CPUs threads spin while they wait: engines with cards leave the daemon its two cores.
        flags: ['--threads', '1', '--poll', '0'],
        restart,
        provisioning: { mode: 'external', executable: realEngine },
      });
    return {
      ...pool(`stub-${index}`, index % 2, house.model, { TOKENS_PER_SECOND: '40' }),
      provisioning: { mode: 'external', executable: manyFaced },
      restart,
    };
  });

const killStarting = async (house: House, afterMs: number): Promise<void> => {
  const beginning = house.begin();
  await wait(afterMs);
  beginning.signal('SIGKILL');
  expect(await beginning.ended).toMatchObject({ signal: 'SIGKILL' });
};

const readyAgain = async (daemon: Daemon, ids: readonly string[]) => {
  for (;;) {
    const pools = await daemon.pools();
    if (ids.every((id) => pools.some(({ pool_id, ready }) => pool_id === id && ready))) return pools;
    const lost = pools.find(({ state }) => state !== 'starting' && state !== 'ready');
    if (lost !== undefined) throw new Error(`expected ${lost.pool_id} to be starting or ready, found ${JSON.stringify(lost)}`);
    await wait(10);
  }
};

/** Of a daemon that reads its configuration and refuses it. */
const bareStart = async (house: House): Promise<number> => {
  const took: number[] = [];
  for (let count = 0; count < 5; count += 1) took.push((await house.refused({ POOL_MANAGERD_SHUTDOWN: 'maybe' })).ms);
  return median(took);
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const described = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  return `${median(values).toFixed(0)} ms (median), ${sorted[0]?.toFixed(0)} to ${sorted.at(-1)?.toFixed(0)} ms`;
};
