/** Events through the node and its pools, against a bare parent and its children. */
import { inHouse } from '../kit/house.ts';
import { median } from '../kit/numbers.ts';
import { times } from '../kit/rounds.ts';
import type { Finding, Row } from '../kit/row.ts';
import { startWorker } from '../kit/workers.ts';

export const events: Row = {
  id: 'events',
  title: 'Events through node and pool',
  method:
    'A handoff file that is not the pool’s: node → pool, which judges it → node → the watcher of handoffs. Nothing observes; effects are taken ' +
    'out. Interleaved, each in its own process: a bare xstate parent with a state and no context, relaying to a child that answers, and passing ' +
    'the answer to a callback actor; as many deliveries.',
  limits:
    'Profiled: both sides spend their time in xstate’s `microstep`, `selectEventlessTransitions` and `memo`; ours has three regions in the node and ' +
    'a pool of six states with a context. With 500 pools the same code runs; what grows is garbage collection (from 9 % to 23 %), since the snapshots of ' +
    '500 pools outlive the young generation between two events of theirs, and cache misses. The bare child keeps its snapshot and has nothing to collect.',
  quick: true,
  measure: (scale) =>
    inHouse(async (house) => {
      const findings: Finding[] = [];
      const ms = scale === 'full' ? 500 : 120;
      const rates = new Map<number, number>();
      for (const pools of scale === 'full' ? [10, 100, 500] : [10, 500]) {
        const ours = startWorker(house, 'actors.ts', ['ours', String(pools)]);
        const bare = startWorker(house, 'actors.ts', ['bare', String(pools)]);
        const rounds = await times(scale === 'full' ? 7 : 5, async () => ({ ours: await ours(ms), bare: await bare(ms) }), { warmUp: 4 });
        const rate = median(rounds.map((one) => one.ours));
        rates.set(pools, rate);
        findings.push({
          key: `events.${pools}`,
          what: `${pools} pools`,
          figure: rate,
          unit: '/s',
          better: 'more',
          against: { what: 'bare xstate', figure: median(rounds.map((one) => one.bare)) },
          aim: { of: 'ratio', limit: 0.6 },
        });
      }
      const few = rates.get(10) ?? 0;
      findings.push({
        key: 'events.flat',
        what: 'cost of an event with 500 pools, against 10',
        figure: 1e6 / (rates.get(500) ?? 0),
        unit: 'µs',
        better: 'less',
        against: { what: '10 pools', figure: 1e6 / few },
        aim: { of: 'ratio', limit: 1.2 },
      });
      return { findings, remarks: [] };
    }),
};
