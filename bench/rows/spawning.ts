/** Many pools declared: how long until the daemon serves them. */
import { setTimeout as wait } from 'node:timers/promises';
import { execDaemon, untilOk } from '../kit/daemon.ts';
import { inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { median } from '../kit/numbers.ts';
import { end } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Finding, Row } from '../kit/row.ts';
import { openWire } from '../kit/wire.ts';

export const spawning: Row = {
  id: 'spawning',
  title: 'Declared pools → serving',
  method:
    'From exec of the daemon, with a pools file of that many pools, to the answer of `GET /v2/pools` that has all of them: the start of Node, the ' +
    'file read and checked, an actor for each pool, the state directory read, the journal written.',
  limits:
    'Profiled: the start of Node (see “The daemon starts”), then reading the YAML (a quarter), an actor for each pool, and a line of the journal for each. ' +
    'It was seven seconds while each of those lines had the whole roster digested; and half of the garbage was copies of the roster and of xstate’s table of ' +
    'children, one for each pool, before all of them were raised at once.',
  quick: false,
  measure: async (scale) => {
    const findings: Finding[] = [];
    for (const count of [10, 100, 500]) {
      const took = await times(scale === 'full' ? 7 : 3, () => serveAll(count), { warmUp: 1 });
      findings.push({
        key: `spawning.${count}`,
        what: `${count} pools, exec → serving, p50`,
        figure: median(took),
        unit: 'ms',
        better: 'less',
        against: null,
        aim: count === 500 ? { of: 'figure', limit: 1_000 } : null,
      });
    }
    return { findings, remarks: [] };
  },
};

const serveAll = (count: number): Promise<number> =>
  inHouse(async (house) => {
    const { child, port, startedAt } = await execDaemon(house, { pools: idlePools(count) });
    await untilOk(port, '/v2/pools');
    const wire = await openWire(port);
    for (let found = 0; found < count; await wait(1)) {
      const { body } = await wire.send('GET', '/v2/pools');
      found = Number(/"count":(\d+)\}$/.exec(body.toString('utf8'))?.[1]);
    }
    const took = performance.now() - startedAt;
    wire.close();
    await end(child);
    return took;
  });
