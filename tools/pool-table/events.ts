/** One or a few of each event that a pool may get, and the ways in which its work may end: what the table of the pool tries. */
import type { EngineFact, PoolEvent } from '../../src/machines/events.ts';
import type { WorkName } from '../../test/kit/pool-driver.ts';
import { because, engine, foreignHandoff, gpus, handoff, inventory, load, model, proof, run, spec } from '../../test/kit/pool-words.ts';

const at = { at: 1_700_000_000_000, mono: 1_000_000 };
/** The specs that pools of the table have: the one of their birth, and another. */
export const specHashes = ['h1', 'h2'] as const;

const reload = (specHash: string) => ({
  type: 'pool.reload' as const,
  spec: { ...spec, flags: [specHash] },
  specHash,
  operationId: specHash,
  ...at,
});

/** By the words of the API. */
export const commands: Readonly<Record<string, readonly PoolEvent[]>> = {
  preload: [{ type: 'pool.start', ...at }],
  drain: [{ type: 'pool.drain', deadlineMs: null, ...at }],
  resume: [{ type: 'pool.resume', ...at }],
  'reload, same spec': specHashes.map(reload),
  'reload, new spec': specHashes.map(reload),
  remove: [{ type: 'pool.remove', ...at }],
};

export const notices: Readonly<Record<string, readonly PoolEvent[]>> = {
  'pool.shutDown': [{ type: 'pool.shutDown', ...at }],
  /** A changed pools file: nobody ordered it. */
  'pool.reload by declaration': specHashes.map((specHash) => ({ ...reload(specHash), byDeclaration: true })),
  'handoff.appeared': [
    { type: 'handoff.appeared', handoff, ...at },
    { type: 'handoff.appeared', handoff: { ...handoff, ready: false }, ...at },
    { type: 'handoff.appeared', handoff: { ...foreignHandoff, endpoint: 'http://127.0.0.1:9999' }, ...at },
    { type: 'handoff.appeared', handoff: { ...foreignHandoff, ready: false }, ...at },
  ],
  'gpus.matched': [{ type: 'gpus.matched', gpus, ...at }],
  'gpus.unmatched': [{ type: 'gpus.unmatched', cause: because('gpu_lost'), ...at }],
  'engine.faulted': [{ type: 'engine.faulted', cause: because('cuda_error'), ...at }],
  'admission.granted': [{ type: 'admission.granted', gpus, reservedBytes: 1, ...at }],
  'admission.refused': [{ type: 'admission.refused', cause: because('insufficient_vram'), ...at }],
  'resources.changed': [{ type: 'resources.changed' }],
  'drain.acknowledged': [{ type: 'drain.acknowledged' }],
};

/** All there are but those that nothing is decided by: a new one does not compile before it stands here. */
export const facts: Readonly<Record<Exclude<EngineFact['type'], 'engine.sampled'> | 'provision.advanced', readonly PoolEvent[]>> = {
  'engine.gone': [{ type: 'engine.gone', exit: { code: null, signal: null }, ...at }],
  'engine.exited': (['engine_exited', 'cuda_oom', 'engine_completed'] as const).map((code) => ({
    type: 'engine.exited',
    exit: { code: null, signal: null },
    cause: because(code),
    tail: [],
    ...at,
  })),
  'engine.stalled': [{ type: 'engine.stalled', cause: because('start_stalled'), ...at }],
  'health.passed': [{ type: 'health.passed', outcome: 'ok', load: load(0), ...at }],
  'health.failed': (['timeout', 'wedged', 'foreign'] as const).map((outcome) => ({
    type: 'health.failed',
    outcome,
    cause: because(outcome === 'foreign' ? 'port_conflict' : 'health_failed'),
    hostSuspected: false,
    ...at,
  })),
  'engine.loadChanged': [0, 1].map((inFlight) => ({ type: 'engine.loadChanged', load: load(inFlight), ...at })),
  'residency.violated': [{ type: 'residency.violated', cause: because('residency_violation'), ...at }],
  'provision.advanced': (['fetching', 'verifying', 'building'] as const).flatMap((phase) =>
    (['engine', 'model'] as const).map((step) => ({ type: 'provision.advanced', step, phase, ...at })),
  ),
};

const done = (output: object) => ({ output: { ...output, ...at } });
const failed = (code: Parameters<typeof because>[0]) => ({ error: { cause: because(code), ...at } });

/** By actor: outputs and errors, as xstate's own events carry them. */
export const workEnds: Readonly<Record<WorkName, readonly object[]>> = {
  provisionEngine: [done(engine), failed('engine_missing'), failed('download_failed')],
  provisionModel: [done(model), failed('model_missing')],
  measureGpus: [done({ inventory, needBytes: 1 }), failed('driver_error')],
  spawnEngine: [done({ run: { ...run, startedMono: at.mono } }), failed('port_conflict')],
  adoptEngine: [
    done({ verdict: 'ours', cause: null }),
    done({ verdict: 'gone', cause: null }),
    done({ verdict: 'stranger', cause: null }),
    failed('identity_mismatch'),
  ],
  announceHandoff: [done({}), failed('state_store_failed')],
  proveReadiness: [done(proof), done({ ...proof, residency: 'unproven' }), failed('health_failed'), failed('port_conflict')],
  stopEngine: [done({ survivors: [], killed: false, exit: null }), done({ survivors: [7], killed: true, exit: null }), failed('unkillable')],
  awaitTreeGone: [done({}), failed('unkillable')],
  awaitRelease: [done({ released: true, heldBytes: 0 }), done({ released: false, heldBytes: 1 }), failed('driver_error')],
  dropRecord: [done({}), failed('state_store_failed')],
};
