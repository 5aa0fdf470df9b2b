/** What the stories of a node share: a node under coverage, what pools report. */
import type { PoolReport } from '../../../src/machines/events.ts';
import { nodeMachine } from '../../../src/machines/node/machine.ts';
import type { PoolState } from '../../../src/machines/vocabulary.ts';
import { bootPool, driveNode, found, type NodeDriver } from '../../kit/node-driver.ts';
import { createCoverage } from '../../kit/transition-coverage.ts';

export const coverage = createCoverage(nodeMachine);

export const drive = (options: Parameters<typeof driveNode>[0] = {}): NodeDriver => driveNode({ inspect: coverage.inspect, ...options });

export const serving = async (...pools: Parameters<typeof bootPool>[0][]): Promise<NodeDriver> => {
  const node = drive({ boot: found(pools.map((pool) => bootPool(pool))) });
  await node.booted();
  return node;
};

export const report = (poolId: string, state: PoolState, facts: Partial<Extract<PoolReport, { type: 'pool.changed' }>> = {}): PoolReport => ({
  type: 'pool.changed',
  poolId,
  state,
  live: state === 'ready',
  ready: state === 'ready',
  draining: state === 'draining',
  slotsFree: null,
  slotsTotal: null,
  hostSuspected: false,
  restarts: 0,
  specHash: 'h1',
  devices: [0],
  ...facts,
});
