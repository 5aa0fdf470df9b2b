/** Where the stories of the pool meet: one coverage for all of them, and what must hold at the end of each. */
import { expect } from 'vitest';
import { isSecondBerth } from '../../../src/machines/policies/berths.ts';
import type { PoolInput } from '../../../src/machines/pool/context.ts';
import { poolMachine } from '../../../src/machines/pool/machine.ts';
import { drivePool, type PoolDriver } from '../../kit/pool-driver.ts';
import { createCoverage } from '../../kit/transition-coverage.ts';

export const coverage = createCoverage(poolMachine);

let told: PoolDriver[] = [];

export const drive = (input: Partial<PoolInput> = {}): PoolDriver => {
  const pool = drivePool(coverage.inspect, input);
  told.push(pool);
  return pool;
};

/** Invariants held in every configuration, and the journal folds to where the pool came to. */
export const closeStories = (): void => {
  const stories = told;
  told = [];
  for (const pool of stories) {
    expect(pool.violations).toEqual([]);
    expect(pool.divergence()).toBeNull();
    expect(pool.outcomes, 'ends of reloads, as journaled and as reported').toEqual(reported(pool));
    pool.stop();
  }
};

/** One that another reload takes the place of is told to the node only, and so is one that came to nothing beside the old engine. */
const reported = (pool: PoolDriver): readonly string[] =>
  pool.reports.flatMap((report) => {
    if (report.type !== 'reload.settled' || report.cause?.code === 'superseded') return [];
    return isSecondBerth(report.poolId) && report.outcome === 'given_up' ? [] : [report.outcome];
  });

export const outcomes = (pool: PoolDriver): readonly string[] =>
  pool.reports.flatMap((report) =>
    report.type === 'reload.settled' ? [`${report.operationId} ${report.outcome} ${report.cause?.code ?? ''}`.trim()] : [],
  );

export const settledFiles = (pool: PoolDriver): readonly string[] =>
  pool.reports.flatMap((report) => (report.type === 'handoff.settled' ? [report.outcome] : []));

export const kinds = (pool: PoolDriver): readonly string[] => pool.reports.map(({ type }) => type);
