/**
 * `npm run test:chaos [-- --seed N] [--steps N] [--verbose] [--keep DIR]`: chaos runs, one after the other. Without a seed
 * 2,000 steps over four fresh ones; each is printed, so that a run that failed can be had again. Exit code 1: something did
 * not hold.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { fakeClock } from '../kit/fake-clock.ts';
import { type ChaosReport, runChaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', multiple: true },
    steps: { type: 'string', default: '500' },
    verbose: { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
});

const seeds = values.seed?.map(Number) ?? Array.from({ length: 4 }, () => randomInt(1, 1_000_000_000));
const steps = Number(values.steps);

const line = ({ seed, done, violations, lives, engines, looks, transitions, folded }: ChaosReport): string =>
  `seed ${seed}: ${done} steps, ${lives} lives of the daemon, ${engines} engines, ${transitions} transitions, ${folded} events folded, ${looks} looks: ${violations.length === 0 ? 'all held' : 'VIOLATED'}`;

console.log(`seeds ${seeds.join(' ')}, ${steps} steps each, clock jumps ${fakeClock === null ? 'left out: no libfaketime' : 'by libfaketime'}`);
for (const seed of seeds) {
  const report = await runChaos({
    seed,
    steps,
    ...(values.keep === undefined ? {} : { keep: values.keep }),
    ...(values.verbose ? { say: (text: string) => console.log(text) } : {}),
  });
  console.log(line(report));
  if (report.violations.length === 0) continue;
  process.exitCode = 1;
  console.log(`again with: npm run test:chaos -- --seed ${seed} --steps ${steps}\nlast steps:\n  ${report.trail.join('\n  ')}`);
  for (const violation of report.violations) console.log(`VIOLATED: ${violation}`);
}
