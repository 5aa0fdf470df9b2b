/** One observation of pool-0, as observers are told of it, with only what a test is about spelled out. */
import type { Observation } from '../../src/observe/observe.ts';

export const observationOf = (from: string, to: string, own: Partial<Observation> = {}): Observation => ({
  at: 0,
  mono: 0,
  actorId: 'pool-0#1',
  machine: 'pool',
  poolId: 'pool-0',
  incarnation: null,
  source: null,
  event: { type: 'x' },
  from,
  to,
  changed: from !== to,
  sample: false,
  snapshot: { value: to, context: {}, status: 'active' },
  before: { value: from, context: {}, status: 'active' },
  failed: false,
  ...own,
});
