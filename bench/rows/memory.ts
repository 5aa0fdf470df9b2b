/** Resident memory: idle, and of each pool. */
import { setTimeout as wait } from 'node:timers/promises';
import { startDaemon } from '../kit/daemon.ts';
import { inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { startBareServer } from '../kit/load.ts';
import { median } from '../kit/numbers.ts';
import { residentBytes } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';
import { openWire } from '../kit/wire.ts';

const settleMs = 3_000;
const many = 500;

export const memory: Row = {
  id: 'memory',
  title: 'Resident memory',
  method:
    `VmRSS, ${settleMs / 1000} s after the first answers: the daemon without pools and with ${many} declared pools that are not started, and a bare Hono ` +
    'server. Per pool is the difference of the two daemons by their number of pools.',
  limits:
    'Each pool is an actor of its chart with its input, its spec, a callback actor that keeps its memory on disk, its line in the journal’s table of latest ' +
    'observations (which holds its last two snapshots), and its answer in JSON, once as text and once in the list. The heap also grows ahead of what it holds.',
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
      ],
      remarks: ['24 simulated hours are not measured yet.'],
    };
  },
};

const daemonOf = (count: number): Promise<number> =>
  inHouse(async (house) => {
    const daemon = await startDaemon(house, { pools: idlePools(count) });
    await wait(settleMs);
    return residentBytes(daemon.pid);
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
