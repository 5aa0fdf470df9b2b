/**
 * Two daemons alike, one with a driver that answers and one whose driver never does, asked in turn: what else the machine does meets
 * both, and since they change places halfway, what one process has over the other meets both as well.
 *
 * The driver is a scripted `nvidia-smi` that ends when it is killed, so that the daemon starts another after each deadline. One that no
 * signal ends would cost it less: no other is started beside it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type ScriptedDriver, scriptedDriver } from '../../test/kit/scripted-driver.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { type House, inHouse } from './house.ts';
import { times } from './rounds.ts';

export interface InTurn {
  readonly path: string;
  readonly pools: readonly object[];
  /** Of each half. */
  readonly rounds: number;
  /** As long at least as the daemon is from one hung look to the next: a deadline of 3 s, and the interval. */
  readonly roundMs: number;
}

/** Milliseconds that answers took in one round. */
export interface Latencies {
  readonly answering: readonly number[];
  readonly hanging: readonly number[];
}

interface Side {
  readonly daemon: Daemon;
  readonly driver: ScriptedDriver;
}

const sound = { cards: Array.from({ length: 8 }, () => ({ totalMiB: 81_920 })) };
/** As often as may be set. */
const lookEveryMs = 1_000;
const warmUpMs = 2_000;

/** Rounds of the one half, and of the other. */
export const besideHangingDriver = (asked: InTurn): Promise<readonly (readonly Latencies[])[]> =>
  inHouse((house) =>
    inHouse(async (nextHouse) => {
      const [one, other] = [await startWithDriver(house, asked), await startWithDriver(nextHouse, asked)];
      await askInTurn(one.daemon, other.daemon, asked.path, warmUpMs);
      return [await half(one, other, asked), await half(other, one, asked)];
    }),
  );

const startWithDriver = async (house: House, { pools }: InTurn): Promise<Side> => {
  const driver = await scriptedDriver({ onTestFinished: house.atEnd }, sound);
  const daemon = await startDaemon(house, { pools, env: { ...driver.env, POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS: String(lookEveryMs) } });
  return { daemon, driver };
};

const half = async (answers: Side, hangs: Side, { path, rounds, roundMs }: InTurn): Promise<readonly Latencies[]> => {
  await answers.driver.smi.play(sound);
  await hangs.driver.smi.play({ ...sound, hang: 'ignore_term' });
  await untilFacts(answers, 'fresh');
  await untilFacts(hangs, 'stale');
  return times(rounds, () => askInTurn(answers.daemon, hangs.daemon, path, roundMs), { warmUp: 0 });
};

const askInTurn = async (answers: Daemon, hangs: Daemon, path: string, ms: number): Promise<Latencies> => {
  const [answering, hanging]: [number[], number[]] = [[], []];
  for (const limit = performance.now() + ms; performance.now() < limit; ) {
    answering.push(await timed(answers, path));
    hanging.push(await timed(hangs, path));
  }
  return { answering, hanging };
};

const timed = async ({ api }: Daemon, path: string): Promise<number> => {
  await wait(1);
  const begun = performance.now();
  await api.send('GET', path);
  return performance.now() - begun;
};

/** Stale as soon as the daemon knows that a look failed, which a hang is by its deadline. */
const untilFacts = async ({ daemon }: Side, wanted: 'fresh' | 'stale', withinMs = 30_000): Promise<void> => {
  const limit = performance.now() + withinMs;
  while (performance.now() < limit) {
    const { body } = await daemon.api.send('GET', '/v2/gpus');
    // What this daemon says of its own cards is taken at its word.
    const { gpus } = JSON.parse(body.toString('utf8')) as { readonly gpus: readonly { readonly stale: boolean }[] };
    if (gpus.length > 0 && gpus.every(({ stale }) => stale === (wanted === 'stale'))) return;
    await wait(50);
  }
  throw new Error(`waited ${withinMs} ms for facts about GPUs to be ${wanted}`);
};
