/** A status answer while something else keeps the daemon busy. */
import { setTimeout as wait } from 'node:timers/promises';
import { startDaemon } from '../kit/daemon.ts';
import { besideHangingDriver } from '../kit/hanging-driver.ts';
import { type House, inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { startHangingEngines } from '../kit/many-engines.ts';
import { median, percentile } from '../kit/numbers.ts';
import type { Finding, Row, Scale } from '../kit/row.ts';
import { openLastingWire, type Wire } from '../kit/wire.ts';

const path = '/v2/pools/pool-001/status';
const starting = 100;

export const statusUnderStress: Row = {
  id: 'status-under-stress',
  title: 'A status answer while the daemon is busy',
  method:
    'One request every 5 ms over one connection, each timed, of a daemon with 100 declared pools: at rest; while the probes of 8 attached engines ' +
    `hang, which take connections and never answer; and from the order to ${starting} pools to start until all of them have processes (\`sleep\`, never healthy). ` +
    'Then two more such daemons, on a scripted `nvidia-smi` that is asked every second: of one it answers, of the other it never returns and is killed by ' +
    'its deadline of 3 s, again and again. Both are asked in turn, a millisecond in between, and change places halfway, so that each is measured in both; ' +
    'the median over the rounds of each round’s 99th percentile, and of both halves the mean.',
  limits:
    'Profiled: of the time in which processes are started a third is `spawn`, which blocks the loop for the fork of the daemon, 5 to 17 ms each on this ' +
    'machine, whatever is started; another third is garbage collection. Forks take turns with answers, one in each turn of the loop, so that an answer waits ' +
    'for one or two of them; fewer would need another, smaller process to start engines. A driver that hangs is waited for by a process of its own, whose start is all that the loop has of it.',
  quick: false,
  measure: async (scale) => ({ findings: [...(await busyWithPools(scale)), await besideHang(scale)], remarks: [] }),
};

const busyWithPools = (scale: Scale): Promise<readonly Finding[]> =>
  inHouse(async (house) => {
    const pools = idlePools(starting).map((pool) => ({ ...pool, provisioning: { mode: 'external', executable: 'sleep' }, flags: ['600'] }));
    const daemon = await startDaemon(house, { pools });
    const wire = await askingWire(house, daemon.port);
    const ms = scale === 'full' ? 8_000 : 2_000;
    const rest = await latencies(wire, ms);
    await startHangingEngines(house, daemon, 8);
    const hanging = await latencies(wire, ms);
    let isOver = false;
    const started = (async () => {
      for (const { id } of idlePools(starting)) await daemon.order(id, 'preload');
      await daemon.untilPools('all to have a process', (found) => found.filter(({ live }) => live).length >= starting);
    })().finally(() => {
      isOver = true;
    });
    const busy = await latencies(wire, 120_000, () => isOver);
    await started;
    const ms99 = { unit: 'ms', better: 'less', against: { what: 'at rest', figure: percentile(rest, 99) } } as const;
    return [
      { ...ms99, key: 'stress.rest', what: 'at rest, p99', figure: percentile(rest, 99), against: null, aim: { of: 'figure', limit: 5 } },
      { ...ms99, key: 'stress.hanging', what: 'while probes hang, p99', figure: percentile(hanging, 99), aim: { of: 'figure', limit: 5 } },
      { ...ms99, key: 'stress.starting.p50', what: `while ${starting} pools start, p50`, figure: percentile(busy, 50), aim: null },
      {
        ...ms99,
        key: 'stress.starting',
        what: `while ${starting} pools start, p99`,
        figure: percentile(busy, 99),
        aim: { of: 'figure', limit: 5 },
      },
    ];
  });

const besideHang = async (scale: Scale): Promise<Finding> => {
  const [rounds, roundMs] = scale === 'full' ? [3, 4_000] : [1, 1_000];
  const halves = await besideHangingDriver({ path, pools: idlePools(starting), rounds, roundMs });
  const p99 = (which: 'answering' | 'hanging'): number => mean(halves.map((found) => median(found.map((round) => percentile(round[which], 99)))));
  return {
    key: 'stress.driver',
    what: 'while a driver call never returns, p99',
    figure: p99('hanging'),
    unit: 'ms',
    better: 'less',
    against: { what: 'while it answers', figure: p99('answering') },
    aim: { of: 'ratio', limit: 1.1 },
  };
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const askingWire = async (house: House, port: number): Promise<Wire> => {
  const wire = await openLastingWire(port);
  house.atEnd(() => wire.close());
  return wire;
};

const latencies = async (wire: Wire, ms: number, isOver: () => boolean = () => false): Promise<readonly number[]> => {
  const taken: number[] = [];
  for (const limit = performance.now() + ms; performance.now() < limit && !isOver(); await wait(5)) {
    const begun = performance.now();
    await wire.send('GET', path);
    taken.push(performance.now() - begun);
  }
  return taken;
};
