/** What the journal and the other observers cost, and how fast a journal is folded again. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inHouse } from '../kit/house.ts';
import { median } from '../kit/numbers.ts';
import { times } from '../kit/rounds.ts';
import type { Row } from '../kit/row.ts';
import { startWorker } from '../kit/workers.ts';

export const journal: Row = {
  id: 'journal',
  title: 'Journal on against off, and replay',
  method:
    'The events of the row before with 10 pools, interleaved: nothing observes; the journal does (four lines of two machines for each event from ' +
    'outside, each in the kernel before the chart goes on); all observers of the daemon do (journal, metrics, log lines, times of entry). The ' +
    'journal that was written is then folded back through the charts, states and contexts compared, against `JSON.parse` of its lines.',
  limits:
    'An event costs about 4 µs of xstate for each delivery, a line of the journal some 15: the write into the kernel (a quarter), the event without its ' +
    'secrets (a quarter), its JSON, times and digests. Less than a write for each line would lose lines with the process. Digests were four fifths ' +
    'of it: a context is now digested once, and the roster by its entries. 30 % would need 2 µs a line, which the write alone exceeds; the rate ' +
    'that is reached is a hundred times what a node of 500 pools sees.',
  quick: true,
  measure: (scale) =>
    inHouse(async (house) => {
      const ms = scale === 'full' ? 500 : 120;
      const dirs = ['journaled', 'observed'].map((kind) => join(house.dir, kind));
      for (const dir of dirs) mkdirSync(dir);
      const off = startWorker(house, 'actors.ts', ['ours', '10']);
      const on = startWorker(house, 'actors.ts', ['journaled', '10', dirs[0] ?? '']);
      const all = startWorker(house, 'actors.ts', ['observed', '10', dirs[1] ?? '']);
      const rounds = await times(scale === 'full' ? 7 : 5, async () => ({ off: await off(ms), on: await on(ms), all: await all(ms) }), { warmUp: 4 });
      const nothing = { what: 'nothing observes', figure: median(rounds.map((one) => one.off)) };
      const fold = startWorker(house, 'replay.ts', [join(dirs[0] ?? '', 'journal', 'events.jsonl')]);
      const folds = await times(scale === 'full' ? 5 : 2, async () => ({ fold: await fold('fold'), parse: await fold('parse') }), { warmUp: 1 });
      return {
        findings: [
          {
            key: 'journal.on',
            what: 'events with the journal',
            figure: median(rounds.map((one) => one.on)),
            unit: '/s',
            better: 'more',
            against: nothing,
            aim: { of: 'ratio', limit: 0.7 },
          },
          {
            key: 'journal.all',
            what: 'events with all observers',
            figure: median(rounds.map((one) => one.all)),
            unit: '/s',
            better: 'more',
            against: nothing,
            aim: null,
          },
          {
            key: 'journal.replay',
            what: 'lines folded',
            figure: median(folds.map((one) => one.fold)),
            unit: '/s',
            better: 'more',
            against: { what: 'JSON.parse alone', figure: median(folds.map((one) => one.parse)) },
            aim: { of: 'figure', limit: 8_000 },
          },
        ],
        remarks: [],
      };
    }),
};
