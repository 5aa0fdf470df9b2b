/** A pool is ordered to start: what the daemon adds to the time that its engine needs anyway. */
import { startDaemon } from '../kit/daemon.ts';
import { chooseEngine, untilToken } from '../kit/engine.ts';
import { inHouse } from '../kit/house.ts';
import { median, percentile } from '../kit/numbers.ts';
import { end } from '../kit/processes.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';

const id = 'pool-0';

export const preload: Row = {
  id: 'preload',
  title: 'Preload → ready',
  method:
    'From the order `POST /v2/pools/{id}/preload` to the answer of the status route that says `ready`: files found, cards measured, VRAM ' +
    'admitted, the record on disk, the engine started, its handoff file written and read, its listener, health, one token and its residency ' +
    'proven. Interleaved: the bare engine with the same command line, from exec to `/health` 200, polled every millisecond, and one token.',
  limits:
    'By the times in the journal of a start: 5 to 7 ms until VRAM is admitted; about 10 ms until the engine runs (a ' +
    'shell that waits, the record written with fsync before the engine begins); half of the 15 ms between two looks at a loading engine; ' +
    '4 ms for the handoff file; and the proof, of which the token is the engine’s own. ' +
    'Looking more often would cost more than it gives while many pools start.',
  quick: true,
  measure: (scale) =>
    inHouse(async (house) => {
      const engine = await chooseEngine(house);
      const daemon = await startDaemon(house, { pools: [engine.pool(id, { preload: false })] });
      const events = await daemon.follow();

      const ours = async (): Promise<number> => {
        const ready = events.next('ready', ({ to }) => to.startsWith('ready'));
        const begun = performance.now();
        await daemon.order(id, 'preload');
        await ready;
        const took = (await daemon.confirm(id, true)) - begun;
        const stopped = events.next('stopped', ({ to }) => to === 'offline.stopped');
        await daemon.order(id, 'drain');
        await stopped;
        return took;
      };
      const bare = async (): Promise<number> => {
        const { child, port, startedAt } = await engine.startBare(house);
        const took = (await untilToken(port)) - startedAt;
        await end(child);
        return took;
      };

      const rounds = await times(scale === 'full' ? 40 : 5, async () => ({ ours: await ours(), bare: await bare() }), { warmUp: 1 });
      const against = { what: 'bare engine', figure: median(rounds.map((one) => one.bare)) };
      const overhead = rounds.map((one) => one.ours - one.bare);
      const ms = { unit: 'ms', better: 'less' } as const;
      return {
        findings: [
          {
            ...ms,
            key: 'preload.p50',
            what: 'preload → ready, p50',
            figure: median(rounds.map((one) => one.ours)),
            against,
            aim: { of: 'difference', limit: 30 },
          },
          { ...ms, key: 'preload.overhead', what: 'overhead of neighbouring starts, p50', figure: median(overhead), against: null, aim: null },
          { ...ms, key: 'preload.overhead.p90', what: 'the same, p90', figure: percentile(overhead, 90), against: null, aim: null },
        ],
        remarks: [engine.remark, `${rounds.length} starts each.`],
      };
    }),
};
