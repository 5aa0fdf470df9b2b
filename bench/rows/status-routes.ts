/** The status routes under load, against bare servers that send the same bytes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from '../kit/daemon.ts';
import { inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { startBareServer, startLoad } from '../kit/load.ts';
import { median } from '../kit/numbers.ts';
import { times } from '../kit/rounds.ts';
import type { Finding, Row, Scale } from '../kit/row.ts';

const one = '/v2/pools/pool-001/status';
const all = '/v2/pools';
const connections = 4;

export const statusRoutes: Row = {
  id: 'status-routes',
  title: 'Status routes under load',
  method:
    `${connections} connections, each asking one request after the other, from a second process; \`GET /v2/pools/{id}/status\` and \`GET /v2/pools\` ` +
    'of daemons with 10, 100 and 500 declared pools. Interleaved in rounds: a bare Hono route in `@hono/node-server` and a bare `node:http` ' +
    'server, both sending the same body from a string. Throughput is the median over the rounds, p99 the median of the rounds’ 99th percentiles. ' +
    'The daemon’s answers carry four headers more, its Host, Origin and token rules and its access log line (level info: not written).',
  limits:
    'Answers are prepared once per change: the text of a pool, the bytes of a list (before that, the list of 500 took 1.1 ms of CPU against 0.2 of ' +
    'bare Hono; now it takes less than bare Hono, which copies its string each time). Of one status half is the write into the ' +
    'kernel and, profiled, all that is ours (gate, router, route, correlation id, three more headers) a tenth, which is what it is short of bare Hono by. Lists of 500 pools are 400 kB: their p99 is the time of moving ' +
    'them four at a time.',
  quick: true,
  measure: async (scale) => {
    const findings: Finding[] = [];
    for (const pools of scale === 'full' ? [10, 100, 500] : [100]) findings.push(...(await measureWith(pools, scale)));
    return { findings, remarks: [] };
  },
};

const measureWith = (pools: number, scale: Scale): Promise<readonly Finding[]> =>
  inHouse(async (house) => {
    const daemon = await startDaemon(house, { pools: idlePools(pools) });
    const bodies: Record<string, string> = {};
    for (const [index, path] of [one, all].entries()) {
      const file = join(house.dir, `body-${index}`);
      writeFileSync(file, (await daemon.api.send('GET', path)).body);
      bodies[path] = file;
    }
    const hono = await startBareServer(house, 'hono', bodies);
    const http = await startBareServer(house, 'http', bodies);
    const load = startLoad(house);
    const ms = scale === 'full' ? 500 : 120;

    const findings: Finding[] = [];
    for (const path of [one, all]) {
      const ask = (port: number) => load({ port, path, connections, ms });
      const round = async () => ({ ours: await ask(daemon.port), hono: await ask(hono.port), http: await ask(http.port) });
      const rounds = await times(scale === 'full' ? 9 : 5, round, { warmUp: 1 });
      const rate = (who: 'ours' | 'hono' | 'http'): number => median(rounds.map((found) => found[who].perSecond));
      const name = `${path === one ? 'one pool' : 'all pools'} of ${pools}`;
      const key = `status.${path === one ? 'one' : 'all'}.${pools}`;
      const perSecond = { unit: '/s', better: 'more', figure: rate('ours') } as const;
      findings.push(
        {
          ...perSecond,
          key,
          what: name,
          against: { what: 'bare Hono', figure: rate('hono') },
          aim: { of: 'ratio', limit: 0.9 },
        },
        { ...perSecond, key: `${key}.http`, what: `${name}, beside node:http`, against: { what: 'node:http', figure: rate('http') }, aim: null },
        {
          key: `${key}.p99`,
          what: `${name}, p99`,
          unit: 'ms',
          better: 'less',
          figure: median(rounds.map(({ ours }) => ours.p99)),
          against: { what: 'bare Hono', figure: median(rounds.map((found) => found.hono.p99)) },
          aim: { of: 'figure', limit: 5 },
        },
      );
    }
    return findings;
  });
