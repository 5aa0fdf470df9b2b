/** /metrics with many pools, and what a scrape does to a status answer. */
import { setTimeout as wait } from 'node:timers/promises';
import { startDaemon } from '../kit/daemon.ts';
import { inHouse } from '../kit/house.ts';
import { attachMany } from '../kit/many-engines.ts';
import { median, percentile } from '../kit/numbers.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';
import { openLastingWire } from '../kit/wire.ts';

const pools = 500;

export const scrape: Row = {
  id: 'scrape',
  title: '`/metrics` with 500 pools',
  method:
    `${pools} attached pools, all ready and probed, so that every series of theirs exists. A scrape; then a status request alone; then one sent on ` +
    'another connection right after a scrape was. The delay is what the second of these took longer, at the median and at the 95th percentile.',
  limits:
    'A megabyte of text: a third of it histograms by prom-client. It is written in parts, with a turn of the event loop after each metric, so that a scrape ' +
    'takes as long as the machine lets it and no answer waits for more than one metric (before that an answer waited for the whole, 16 ms).',
  quick: false,
  measure: (scale) =>
    inHouse(async (house) => {
      const daemon = await startDaemon(house, { pools: [] });
      await attachMany(house, daemon, pools);
      const status = '/v2/pools/attached-1/status';
      const other = await openLastingWire(daemon.port);
      house.atEnd(() => other.close());
      const timed = async (work: () => Promise<unknown>): Promise<number> => {
        const begun = performance.now();
        await work();
        return performance.now() - begun;
      };
      const round = async () => {
        const whole = await timed(() => daemon.api.send('GET', '/metrics'));
        await wait(20);
        const alone = await timed(() => other.send('GET', status));
        const scraping = daemon.api.send('GET', '/metrics');
        const beside = await timed(() => other.send('GET', status));
        const { body } = await scraping;
        await wait(20);
        return { whole, alone, beside, bytes: body.length };
      };
      const rounds = await times(scale === 'full' ? 100 : 20, round, { warmUp: 10 });
      const alone = { what: 'no scrape', figure: median(rounds.map((one) => one.alone)) };
      const ms = { unit: 'ms', better: 'less' } as const;
      return {
        findings: [
          {
            ...ms,
            key: 'scrape.p50',
            what: 'a scrape, p50',
            figure: median(rounds.map(({ whole }) => whole)),
            against: null,
            aim: { of: 'figure', limit: 20 },
          },
          {
            ...ms,
            key: 'scrape.beside',
            what: 'a status answer beside a scrape, p50',
            figure: median(rounds.map(({ beside }) => beside)),
            against: alone,
            aim: { of: 'difference', limit: 5 },
          },
          {
            ...ms,
            key: 'scrape.beside.p95',
            what: 'the same, p95',
            figure: percentile(
              rounds.map(({ beside }) => beside),
              95,
            ),
            against: {
              what: 'no scrape',
              figure: percentile(
                rounds.map((one) => one.alone),
                95,
              ),
            },
            aim: { of: 'difference', limit: 5 },
          },
        ],
        remarks: [`A scrape has ${Math.round((rounds[0]?.bytes ?? 0) / 1000)} kB.`],
      };
    }),
};
