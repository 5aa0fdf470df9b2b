/** The daemon starts: until it answers, and until engines that outlived the one before are adopted. */
import { setTimeout as wait } from 'node:timers/promises';
import { connectTo, execDaemon, startDaemon, untilOk } from '../kit/daemon.ts';
import { chooseEngine } from '../kit/engine.ts';
import { inHouse } from '../kit/house.ts';
import { idlePools } from '../kit/idle-pools.ts';
import { startBareServer } from '../kit/load.ts';
import { median } from '../kit/numbers.ts';
import { end, freePort } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';

const engines = 50;

export const boot: Row = {
  id: 'boot',
  title: 'The daemon starts',
  method:
    'From exec to `GET /health` 200, asked every millisecond; interleaved, a bare Hono server in Node from exec to its first answer. Then ' +
    `${engines} engines run, the daemon is killed with SIGKILL and started again at once: from exec to the first list in which all are ready, none of them ` +
    'restarted; to where the API answers is in it. The daemon is the package as it is shipped; what Node has compiled is kept on both sides.',
  limits:
    'Profiled: of the time to `/health` a quarter is Node itself, a quarter what of Node every server over HTTP needs (undici for `Request` and ' +
    '`Response`, tls, crypto), a third reading one script of 2 MB and what V8 compiled of it, and the rest, 60 ms, what the daemon does: environment, ' +
    'pools file, state directory, journal, charts. From hundreds of files it was twice as much. Adoption comes on top: 50 proofs, each with its ' +
    'listener, process and health, in 200 to 400 ms of CPU.',
  quick: true,
  measure: async (scale) => {
    const starts = await times(scale === 'full' ? 15 : 4, async () => ({ ours: await execToHealth(), bare: await execBare() }), { warmUp: 1 });
    const adopted = scale === 'full' ? await adoptAll(5) : null;
    return {
      findings: [
        {
          key: 'boot.health',
          what: 'exec → /health, p50',
          figure: median(starts.map(({ ours }) => ours)),
          unit: 'ms',
          better: 'less',
          against: { what: 'bare Hono', figure: median(starts.map(({ bare }) => bare)) },
          aim: { of: 'ratio', limit: 1.5 },
        },
        ...(adopted === null
          ? []
          : [
              {
                key: 'boot.adopted',
                what: `exec after kill −9 → ${engines} engines adopted and ready, p50`,
                figure: median(adopted.took),
                unit: 'ms' as const,
                better: 'less' as const,
                against: null,
                aim: { of: 'figure' as const, limit: 500 },
              },
            ]),
      ],
      remarks: adopted === null ? [] : [adopted.remark],
    };
  },
};

const execToHealth = (): Promise<number> =>
  inHouse(async (house) => {
    const { port, startedAt } = await execDaemon(house, { pools: idlePools(8) });
    return (await untilOk(port, '/health')) - startedAt;
  });

const execBare = (): Promise<number> =>
  inHouse(async (house) => {
    const port = await freePort();
    const begun = performance.now();
    const started = startBareServer(house, 'hono', { '/health': '' }, port);
    const at = await untilOk(port, '/health');
    await started;
    return at - begun;
  });

const adoptAll = (rounds: number) =>
  inHouse(async (house) => {
    const engine = await chooseEngine(house);
    const pools = Array.from({ length: engines }, (_, index) => engine.pool(`pool-${index}`, { devices: [index % 8] }));
    const first = await startDaemon(house, { pools });
    await first.untilPools('all to be ready', (found) => found.every(({ ready }) => ready), 300_000);
    const pids = pools.map((_, index) => first.enginePid(`pool-${index}`));
    let daemon = first;
    const took = await times(
      rounds,
      async () => {
        await end(daemon.child);
        const { child, port, startedAt } = await execDaemon(house, { pools });
        await untilOk(port, '/v2/pools');
        daemon = await connectTo(house, child, port);
        for (let ready = 0; ready < engines; await wait(2)) ready = (await daemon.pools()).filter((pool) => pool.ready).length;
        return performance.now() - startedAt;
      },
      { warmUp: 1 },
    );
    if (pids.some((pid, index) => daemon.enginePid(`pool-${index}`) !== pid)) throw new Error('expected adopted engines, found one restarted');
    return { took, remark: engine.remark };
  });
