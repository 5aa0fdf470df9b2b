/** Folds a journal again and again, or only parses its lines; told which, it answers with lines per second. */
import { readFileSync } from 'node:fs';
import { folding } from '../../src/cli/local/journal-file.ts';
import { replay } from '../../src/machines/replay.ts';

const lines = readFileSync(process.argv[2] ?? '', 'utf8')
  .trimEnd()
  .split('\n');

const parse = (): unknown[] => lines.map((line) => JSON.parse(line));

const fold = (): void => {
  const { divergence, folded } = replay(parse(), folding);
  if (divergence !== null || folded === 0) throw new Error(`expected a journal that folds, found ${JSON.stringify(divergence)} after ${folded}`);
};

process.on('message', (what: 'parse' | 'fold') => {
  const begun = performance.now();
  if (what === 'parse') parse();
  else fold();
  process.send?.(lines.length / ((performance.now() - begun) / 1000));
});
