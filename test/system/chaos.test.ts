/** A short chaos run; the long one is `npm run test:chaos`. CHAOS_SEED and CHAOS_STEPS say another. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { runChaos } from '../chaos/chaos.ts';
import { chanceFrom } from '../chaos/random.ts';
import { plan } from '../chaos/steps.ts';

const seed = Number(process.env['CHAOS_SEED'] ?? randomInt(1, 1_000_000_000));
const steps = Number(process.env['CHAOS_STEPS'] ?? 60);

it('The same seed gives the same steps, another one others', () => {
  const drawn = (from: number) => plan(chanceFrom(from), 100);
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn(7)).not.toEqual(drawn(8));
});

it('Nothing that must hold is violated by steps of chaos, and at the end all that is sound serves and nothing is left (row 3)', {
  timeout: 180_000 + steps * 3_000,
}, async (t) => {
  if (spawnSync('perl', ['-MTime::HiRes', '-e', '1']).status !== 0) return t.skip('there is no perl, in which the engines are written');
  const report = await runChaos({ seed, steps });
  console.log(
    `seed ${seed}: ${report.lives} lives of the daemon, ${report.engines} engines, ${report.transitions} transitions, ${report.looks} looks`,
  );
  expect(report.violations, `npm run test:chaos -- --seed ${seed} --steps ${steps}\n${report.trail.join('\n')}`).toEqual([]);
  expect(report.done).toBe(steps);
});
