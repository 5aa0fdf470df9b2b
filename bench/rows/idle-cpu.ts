/** CPU of a daemon at rest, its probes included. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Daemon, startDaemon } from '../kit/daemon.ts';
import { chooseEngine } from '../kit/engine.ts';
import { inHouse } from '../kit/house.ts';
import { attachMany } from '../kit/many-engines.ts';
import { cpuMs } from '../kit/processes.ts';
import type { Row } from '../kit/row.ts';

export const idleCpu: Row = {
  id: 'idle-cpu',
  title: 'CPU at rest',
  method:
    'User and system time of the daemon as the kernel counts it, probes at their default of every 2 s included: 8 engines of its own, with ' +
    'their processes, listeners and descendants looked at; 8 and 200 engines that it knows by handoff files, whose endpoints are one process.',
  limits:
    'Profiled: a process that sleeps pays for each waking (some 60 µs here) and then runs with cold caches, so probes of engines that are well ' +
    'share their wakings. A probe is one new connection (made, written to and closed: a quarter of what is left, and with 200 pools nearly half), ' +
    'the rest of Node’s HTTP client, and a sample on its way through the chart; with engines of its own `/proc` is read for listeners (5 %) and ' +
    'processes (5 %). Keeping connections would save most, and no longer show that clients still reach the listener.',
  quick: false,
  measure: async (scale) => {
    const ms = scale === 'full' ? 20_000 : 6_000;
    const own = await withOwn(8, ms);
    const figures = [
      { key: 'own.8', what: '8 pools, engines of its own', figure: own.share, limit: 0.5 },
      { key: 'attached.8', what: '8 attached pools', figure: await withAttached(8, ms), limit: 0.5 },
      { key: 'attached.200', what: '200 attached pools', figure: await withAttached(200, ms), limit: 5 },
    ];
    return {
      findings: figures.map(({ key, what, figure, limit }) => ({
        key: `idle-cpu.${key}`,
        what,
        figure,
        unit: '% of a core',
        better: 'less',
        against: null,
        aim: { of: 'figure', limit },
      })),
      remarks: [own.remark, `Over ${ms / 1000} s.`],
    };
  },
};

const withOwn = (count: number, ms: number) =>
  inHouse(async (house) => {
    const engine = await chooseEngine(house);
    const pools = Array.from({ length: count }, (_, index) => engine.pool(`pool-${index}`, { devices: [index % 8] }));
    const daemon = await startDaemon(house, { pools });
    await daemon.untilPools('all to be ready', (found) => found.every(({ ready }) => ready));
    return { share: await restShare(daemon, ms), remark: engine.remark };
  });

const withAttached = (count: number, ms: number): Promise<number> =>
  inHouse(async (house) => {
    const daemon = await startDaemon(house, { pools: [] });
    await attachMany(house, daemon, count);
    return restShare(daemon, ms);
  });

const settleMs = 3_000;

/** Per cent of one core. */
const restShare = async (daemon: Daemon, ms: number): Promise<number> => {
  await wait(settleMs);
  const [cpu, begun] = [cpuMs(daemon.pid), performance.now()];
  await wait(ms);
  return ((cpuMs(daemon.pid) - cpu) / (performance.now() - begun)) * 100;
};
