/** Resident memory: idle, of each pool, and what a day leaves behind. */
import { setTimeout as wait } from 'node:timers/promises';
import { startDaemon } from '../kit/daemon.ts';
import { inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { startBareServer } from '../kit/load.ts';
import { median, slope } from '../kit/numbers.ts';
import { residentBytes } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';
import { openWire } from '../kit/wire.ts';
import { startWorker } from '../kit/workers.ts';

const settleMs = 3_000;
const many = 500;
const hours = 24;
const pools = 8;
/** kB an hour. Whatever kept an actor of the two starts of each hour would be above it; below it is what V8 learns of the code. */
const leastLeak = 10;

export const memory: Row = {
  id: 'memory',
  title: 'Resident memory',
  method:
    `VmRSS, ${settleMs / 1000} s after the first answers: the daemon without pools and with ${many} declared pools that are not started, and a bare Hono ` +
    'server. Per pool is the difference of the two daemons by their number of pools. ' +
    `${hours} simulated hours: a node of the real charts with ${pools} pools lives on a simulated clock, observed as the daemon is (journal, metrics, log lines), ` +
    'with effects that succeed at once: every engine answers a probe and changes its load every two seconds, the cards are looked at and heartbeats sent every ' +
    'ten, each hour one engine is lost and another drained and started again. Its growth is the slope of what the heap holds after a collection, at the end of ' +
    'each hour of the second half.',
  limits:
    'After a collection the heap holds 15 kB of each pool: the actor of its chart, the one that keeps its memory on disk, its spec, its answer in JSON. The ' +
    'rest is what the start leaves behind. V8’s young generation grows to some 60 MB while the file is read and the pools are raised, and is not given back: ' +
    'with `--max-semi-space-size=4`, as the unit, the executable and `npm start` have it and this row has not, all of it is about 87 kB a pool. The old ' +
    'generation has rubbish in it that nothing has collected yet, most of it of the YAML. And some 18 MB are the optimizing compiler’s, in malloc’s arenas and ' +
    'as pages of its own code: a daemon that has worked for a second has them whatever it worked at.',
  quick: false,
  measure: async (scale) => {
    const rounds = await times(
      scale === 'full' ? 3 : 2,
      async () => ({ none: await daemonOf(0), many: await daemonOf(many), bare: await bareHono() }),
      {
        warmUp: 0,
      },
    );
    const of = (who: 'none' | 'many' | 'bare'): number => median(rounds.map((one) => one[who]));
    return {
      findings: [
        {
          key: 'memory.idle',
          what: 'daemon without pools',
          figure: of('none') / 1e6,
          unit: 'MB',
          better: 'less',
          against: { what: 'bare Hono', figure: of('bare') / 1e6 },
          aim: { of: 'difference', limit: 60 },
        },
        {
          key: 'memory.pool',
          what: `each of ${many} pools`,
          figure: (of('many') - of('none')) / many / 1e3,
          unit: 'kB',
          better: 'less',
          against: null,
          aim: { of: 'figure', limit: 60 },
        },
        {
          key: 'memory.day',
          what: `growth in each of ${hours} simulated hours`,
          figure: slope((await simulatedDay()).slice(hours / 2)) / 1e3,
          unit: 'kB',
          better: 'less',
          against: null,
          aim: { of: 'figure', limit: leastLeak },
        },
      ],
      remarks: [],
    };
  },
};

const daemonOf = (count: number): Promise<number> =>
  inHouse(async (house) => {
    const daemon = await startDaemon(house, { pools: idlePools(count) });
    await wait(settleMs);
    return residentBytes(daemon.pid);
  });

/** Bytes that the heap holds at the end of each hour. */
const simulatedDay = (): Promise<readonly number[]> =>
  inHouse(async (house) => {
    const live = startWorker(house, 'day.ts', [house.dir, String(pools)]);
    const held: number[] = [];
    for (let hour = 0; hour < hours; hour += 1) held.push(await live(hour));
    return held;
  });

const bareHono = (): Promise<number> =>
  inHouse(async (house) => {
    const server = await startBareServer(house, 'hono', { '/health': '' });
    const wire = await openWire(server.port);
    await wire.send('GET', '/health');
    wire.close();
    await wait(settleMs);
    return residentBytes(server.pid);
  });
