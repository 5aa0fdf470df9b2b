/** Whatever happens in whatever order: the chart never throws, keeps its invariants, and its journal folds to where it came. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reasonCodes } from '../../src/machines/reasons.ts';
import { type BareEvent, drivePool, type PoolDriver, type WorkName } from '../kit/pool-driver.ts';
import {
  attachedInput,
  because,
  engine,
  foreignHandoff,
  gpus,
  handoff,
  inventory,
  model,
  proof,
  recordedInput,
  run,
  spec,
} from '../kit/pool-words.ts';

interface Step {
  readonly take: (pool: PoolDriver) => Promise<void> | void;
  readonly [fc.toStringMethod]: () => string;
}

/** A counterexample tells what was done. */
const step = (how: string, take: Step['take']): Step => ({ take, [fc.toStringMethod]: () => how });

const cause = fc.constantFrom(...reasonCodes).map(because);
const count = fc.option(fc.integer({ min: 0, max: 4 }), { nil: null });
const loads = fc.record({ slotsTotal: count, slotsFree: count, inFlight: count });
const anyHandoff = fc.record({
  base: fc.constantFrom(handoff, foreignHandoff),
  ready: fc.boolean(),
  endpoint: fc.constantFrom(run.endpoint, 'http://127.0.0.1:9999', 'https://localhost', 'nonsense'),
});

const events: fc.Arbitrary<BareEvent> = fc.oneof(
  fc.constantFrom<BareEvent>(
    { type: 'pool.start' },
    { type: 'pool.resume' },
    { type: 'pool.remove' },
    { type: 'pool.shutDown' },
    { type: 'resources.changed' },
    { type: 'drain.acknowledged' },
    { type: 'memory.kept' },
    { type: 'gpus.matched', gpus },
    { type: 'admission.granted', gpus, reservedBytes: null },
  ),
  fc.option(fc.nat(90_000), { nil: null }).map((deadlineMs): BareEvent => ({ type: 'pool.drain', deadlineMs })),
  fc
    .record({ specHash: fc.constantFrom('h1', 'h2', 'h3'), how: fc.constantFrom({}, { byDeclaration: true } as const) })
    .map(({ specHash, how }): BareEvent => ({ type: 'pool.reload', spec: { ...spec, flags: [specHash] }, specHash, operationId: specHash, ...how })),
  cause.map((because): BareEvent => ({ type: 'engine.exited', exit: { code: 1, signal: null }, cause: because, tail: [] })),
  cause.map((because): BareEvent => ({ type: 'engine.stalled', cause: because })),
  cause.map((because): BareEvent => ({ type: 'residency.violated', cause: because })),
  cause.map((because): BareEvent => ({ type: 'engine.faulted', cause: because })),
  cause.map((because): BareEvent => ({ type: 'gpus.unmatched', cause: { ...because, code: 'gpu_lost' } })),
  cause.map((because): BareEvent => ({ type: 'memory.failed', cause: because })),
  fc
    .record({ outcome: fc.constantFrom('timeout', 'refused', 'error', 'wedged', 'foreign'), cause, hostSuspected: fc.boolean() })
    .map((failure): BareEvent => ({ type: 'health.failed', ...failure })),
  loads.map((load): BareEvent => ({ type: 'health.passed', outcome: 'ok', load })),
  loads.map((load): BareEvent => ({ type: 'engine.loadChanged', load })),
  loads.map((load): BareEvent => ({ type: 'engine.sampled', outcome: 'busy', load, vramUsedBytes: null })),
  fc
    .record({ step: fc.constantFrom('engine', 'model'), phase: fc.constantFrom('fetching', 'verifying', 'building') })
    .map((advance): BareEvent => ({ type: 'provision.advanced', ...advance })),
  anyHandoff.map(({ base, ready, endpoint }): BareEvent => ({ type: 'handoff.appeared', handoff: { ...base, ready, endpoint } })),
);

/** Mostly what is hoped for, so that runs come far. */
const ends: Readonly<Record<WorkName, readonly object[]>> = {
  provisionEngine: [engine],
  provisionModel: [model],
  measureGpus: [{ inventory, needBytes: null }],
  spawnEngine: [{ run }],
  adoptEngine: [
    { verdict: 'ours', cause: null },
    { verdict: 'gone', cause: null },
    { verdict: 'stranger', cause: null },
  ],
  announceHandoff: [{}],
  proveReadiness: [proof, proof, { ...proof, residency: 'simulated' }, { ...proof, residency: 'unproven' }],
  stopEngine: [{ survivors: [] }, { survivors: [] }, { survivors: [7] }].map((end) => ({ ...end, killed: false, exit: null })),
  awaitTreeGone: [{}],
  awaitRelease: [{ released: true }, { released: null }, { released: false }].map((end) => ({ ...end, heldBytes: null })),
  dropRecord: [{}],
};

const openWorks = (pool: PoolDriver) => pool.works.filter(({ state }) => state === 'open');

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length];

const told = events.map((event) => step(JSON.stringify(event), (pool) => pool.send(event)));

const answered = fc.tuple(fc.nat(), fc.nat()).map(([which, how]) =>
  step(`work ${which} ends in way ${how}`, async (pool) => {
    const work = pick(openWorks(pool), which);
    if (work !== undefined) await work.answer(pick(ends[work.name], how) ?? {});
  }),
);

const failed = fc.tuple(fc.nat(), cause).map(([which, because]) =>
  step(`work ${which} fails by ${because.code}`, async (pool) => {
    await pick(openWorks(pool), which)?.fail(because);
  }),
);

/** What chance would rarely say at the right moment. */
const helped = fc.constant(
  step('goes on as hoped for', async (pool) => {
    switch (pool.where()) {
      case 'starting.admitting.asking':
        return pool.send({ type: 'admission.granted', gpus, reservedBytes: 1 });
      case 'starting.loading.answering':
      case 'draining.emptying.recovering':
        return pool.send({ type: 'health.passed', outcome: 'ok', load: { slotsTotal: 2, slotsFree: 2, inFlight: 0 } });
      case 'starting.loading.announcing':
        return pool.send({ type: 'handoff.appeared', handoff });
      case 'draining.emptying.announcing':
        return pool.send({ type: 'drain.acknowledged' });
      default: {
        const work = openWorks(pool)[0];
        if (work !== undefined) await work.answer(pick(ends[work.name], 0) ?? {});
      }
    }
  }),
);

const waited = fc.constantFrom(1, 2_000, 30_000, 60_000, 700_000).map((ms) => step(`${ms} ms pass`, (pool) => pool.pass(ms)));

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: told },
  { weight: 2, arbitrary: answered },
  { weight: 9, arbitrary: helped },
  { weight: 1, arbitrary: failed },
  { weight: 1, arbitrary: waited },
);

const births = fc.constantFrom(
  {},
  {},
  { gpus: null },
  { gpus: null, gpuCause: because('gpu_missing') },
  { spec: { ...spec, preload: false } },
  attachedInput,
  recordedInput('loading'),
  recordedInput('ready'),
  recordedInput('emptying', { wanted: 'down', drain: { why: 'operator', deadlineMono: 1_010_000, bootId: 'boot' } }),
  recordedInput('emptying', { drain: { why: 'health', deadlineMono: 1_010_000, bootId: 'boot' } }),
  recordedInput('stopping'),
  { ...recordedInput('ready'), orphaned: true },
);

describe('any sequence of events, answers, failures and time', { timeout: 60_000 }, () => {
  const reached = new Set<string>();

  it('keeps the invariants, throws nothing, starts nothing twice, and folds', async () => {
    await fc.assert(
      fc.asyncProperty(births, fc.array(steps, { minLength: 10, maxLength: 80, size: 'max' }), async (birth, taken) => {
        const pool = drivePool(null, birth);
        for (const { take } of taken) {
          if (pool.snapshot().status !== 'active') break;
          await take(pool);
        }
        for (const path of pool.path) reached.add(path);
        expect(pool.violations).toEqual([]);
        expect(pool.divergence()).toBeNull();
        pool.stop();
      }),
      { numRuns: 300 },
    );
  });

  it('comes far: what was reached is more than the way to ready', () => {
    const states = [
      'ready.healthy',
      'ready.suspect',
      'draining.emptying.recovering',
      'draining.stuck.waiting',
      'draining.releasing',
      'offline.failed',
    ];
    for (const state of [...states, 'offline.blocked', 'offline.backingOff', 'ended']) expect([...reached]).toContain(state);
  });
});
