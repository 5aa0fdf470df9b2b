/** Values for each shelf of a state store, with only what a test is about spelled out. */
import type { Handoff } from '../../src/machines/vocabulary.ts';
import type { AttachedRecord, KeptMemory, TreeRecord } from '../../src/state/store.ts';

export const memoryOf = (poolId: string, facts: Partial<KeptMemory> = {}): KeptMemory => ({
  version: 1,
  poolId,
  bootId: 'boot',
  wanted: 'up',
  restart: { count: 3, attempt: 2, startsMono: [1_000.5, 2_000], opened: 1 },
  phase: 'ready',
  proof: {
    residency: 'proven',
    evidence: ['offloaded 33/33 layers', 'grüße'],
    slotsTotal: 4,
    engineVersion: 'b1',
    modelsAvailable: ['tiny'],
    firstTokenMs: 1.5,
  },
  drain: { why: 'operator', deadlineMono: 5_000.25, bootId: 'boot' },
  retry: {
    delayMs: 900,
    at: 1_700_000_000_000,
    mono: 2_900,
    reason: { code: 'engine_exited', message: 'it ended with 1', at: null },
    specHash: 'one',
  },
  ...facts,
});

export const handoffOf = (poolId: string, facts: Partial<Handoff> = {}): Handoff => ({
  file: `${poolId}-r0.json`,
  poolId,
  replicaId: 'r0',
  engine: 'llamacpp',
  engineVersion: null,
  endpoint: 'http://127.0.0.1:18080',
  devices: [0],
  slotsTotal: 4,
  ready: true,
  modelId: null,
  pid: 4711,
  pidStartTime: 99,
  incarnation: null,
  ...facts,
});

export const attachedOf = (poolId: string, facts: Partial<AttachedRecord> = {}): AttachedRecord => ({
  version: 1,
  poolId,
  bootId: 'boot',
  handoff: handoffOf(poolId),
  ...facts,
});

export const treeOf = (poolId: string, facts: Partial<TreeRecord> = {}): TreeRecord => ({
  version: 1,
  poolId,
  incarnation: 'one',
  descendants: [{ pid: 4712, startTime: 5 }],
  ...facts,
});
