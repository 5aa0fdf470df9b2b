/** An engine dies: when the API says not ready, and when the control plane has the heartbeat. */
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { startControlPlane } from '../kit/control-plane.ts';
import { startDaemon } from '../kit/daemon.ts';
import { type BareEngine, chooseEngine, untilHealthy } from '../kit/engine.ts';
import { inHouse } from '../kit/house.ts';
import { median, percentile } from '../kit/numbers.ts';
import { pidOf } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';

const ids = Array.from({ length: 8 }, (_, index) => `pool-${index}`);
/** Longer than the 100 ms between two heartbeats, and than what a crash has the daemon do at once. */
const quietMs = 200;
/** They are started again by order, not in between. */
const patient = { initial_ms: 600_000, max_ms: 600_000, max_restarts: 1000 };

export const kill: Row = {
  id: 'kill',
  title: 'Engine killed → not ready in the API, and heartbeat received',
  method:
    'Eight pools are ready. One engine after another is killed with SIGKILL; the moment at which `GET /v2/pools/{id}/status` says not ready is ' +
    'that of an answer asked for once `/v2/events` has told of it, the heartbeat is timed where it arrives. Interleaved: the same engine as a ' +
    'child of a bare Node parent, killed, until its `exit` event (waitpid). When all are dead they are started again by order.',
  limits:
    'The exit is seen as fast as by the bare parent, by a FIFO that the engine holds, and told at once: why it ended, which took 8 to 18 ms more, is found ' +
    'out behind that. What is left is the kernel’s time to end a process with a model in its memory, in which the bare parent waits as well, and two ' +
    'lines of the journal, the event to whoever follows, and a request for the status, on a machine whose two cores also end the engine.',
  quick: true,
  measure: (scale) =>
    inHouse(async (house) => {
      const engine = await chooseEngine(house);
      const plane = await startControlPlane(house);
      const daemon = await startDaemon(house, {
        pools: ids.map((id, index) => engine.pool(id, { devices: [index], preload: false, restart: patient })),
        env: { ORCHESTRATORD_URL: plane.url },
      });
      const events = await daemon.follow();

      const killOne = async (id: string, bare: BareEngine) => {
        const left = events.next(
          `${id} to leave ready`,
          ({ pool_id, from, to }) => pool_id === id && from.startsWith('ready') && !to.startsWith('ready'),
        );
        const beat = plane.heartbeats.next(`a heartbeat without ${id}`, (heard) => heard.ready.get(id) === false);
        const pid = daemon.enginePid(id);
        const begun = performance.now();
        process.kill(pid, 'SIGKILL');
        await left;
        const api = (await daemon.confirm(id, false)) - begun;
        const heartbeat = (await beat).at - begun;
        await wait(quietMs);
        const bareBegun = performance.now();
        const exited = once(bare.child, 'exit');
        process.kill(pidOf(bare.child), 'SIGKILL');
        await exited;
        return { api, heartbeat, bare: performance.now() - bareBegun };
      };

      const round = async () => {
        for (const id of ids) await daemon.order(id, 'preload');
        const bares = await Promise.all(ids.map(() => engine.startBare(house)));
        for (const { port } of bares) (await untilHealthy(port)).close();
        await daemon.untilPools('all to be ready', (pools) => pools.every(({ ready }) => ready));
        const kills = [];
        for (const [index, id] of ids.entries()) {
          await wait(quietMs);
          const bare = bares[index];
          if (bare !== undefined) kills.push(await killOne(id, bare));
        }
        await daemon.untilPools('all to be offline', (pools) => pools.every(({ state }) => state === 'offline'));
        return kills;
      };

      const kills = (await times(scale === 'full' ? 13 : 1, round, { warmUp: scale === 'full' ? 1 : 0 })).flat();
      const bare = { what: 'waitpid in a bare parent', figure: median(kills.map((one) => one.bare)) };
      const ms = { unit: 'ms', better: 'less' } as const;
      return {
        findings: [
          {
            ...ms,
            key: 'kill.api.p50',
            what: 'not ready in the API, p50',
            figure: median(kills.map(({ api }) => api)),
            against: bare,
            aim: { of: 'figure', limit: 5 },
          },
          {
            ...ms,
            key: 'kill.heartbeat.p50',
            what: 'heartbeat received, p50',
            figure: median(kills.map(({ heartbeat }) => heartbeat)),
            against: bare,
            aim: { of: 'figure', limit: 5 },
          },
          {
            ...ms,
            key: 'kill.both.p99',
            what: 'both, p99',
            figure: percentile(
              kills.map((one) => Math.max(one.api, one.heartbeat)),
              99,
            ),
            against: null,
            aim: { of: 'figure', limit: 20 },
          },
          { ...ms, key: 'kill.waitpid', what: 'waitpid in a bare parent, p50', figure: bare.figure, against: null, aim: null },
        ],
        remarks: [engine.remark, `${kills.length} kills.`],
      };
    }),
};
