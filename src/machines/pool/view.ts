/**
 * A pool's snapshot in the API's words: `PoolStatus`. Pure; the caller says what only the node knows (its id, since when the
 * state holds, what the cards say).
 */
import { publicIdOf } from '../policies/berths.ts';
import { pathOf, rfc3339, rfc3339OrNull } from '../policies/describe.ts';
import { reasonRow } from '../reasons.ts';
import type { PoolStatus } from '../views.ts';
import type { PoolState, Progress } from '../vocabulary.ts';
import type { PoolContext } from './context.ts';
import { isLive, showsSuspicion, slotsOf } from './reports.ts';

export interface PoolSnapshot {
  readonly value: unknown;
  readonly context: PoolContext;
}

export interface PoolSurroundings {
  readonly nodeId: string;
  /** When the present public state was entered, milliseconds since the epoch. */
  readonly since: number;
  /** Memory of a GPU or MIG slice by UUID, as last seen; null when it is not there. */
  readonly gpu: (uuid: string) => { readonly totalBytes: number | null; readonly freeBytes: number | null } | null;
}

export const stateOf = (value: unknown): PoolState => pathOf(value).split('.')[0] as PoolState;

export const poolView = (snapshot: PoolSnapshot, around: PoolSurroundings): PoolStatus => {
  const { context } = snapshot;
  const path = pathOf(snapshot.value);
  const state = stateOf(snapshot.value);
  const gpus = context.gpus ?? [];
  const facts = gpus.map((gpu) => around.gpu(gpu.uuid));
  // Cards of somebody else's engine are what its handoff file says.
  const indices =
    context.origin === 'attached' ? context.spec.devices.filter((device) => typeof device === 'number') : gpus.map(({ index }) => index);
  const slots = slotsOf(context);
  const live = isLive(context, path);
  return {
    pool_id: publicIdOf(context.poolId),
    node_id: around.nodeId,
    origin: context.origin,
    state,
    substate: path.slice(state.length + 1),
    since: rfc3339(around.since),
    live,
    ready: state === 'ready',
    draining: state === 'draining',
    wanted: context.wanted,
    degraded: degradations(context, path),
    reason: reasonView(context),
    engine: context.spec.engine,
    engine_version: context.run?.engineVersion ?? context.engine?.version ?? context.proof?.engineVersion ?? null,
    model: context.model?.id ?? context.spec.model,
    pid: live && context.origin !== 'attached' ? (context.run?.pid ?? null) : null,
    endpoint: live || (context.origin === 'attached' && state !== 'offline') ? (context.run?.endpoint ?? null) : null,
    gpu_device: indices[0] ?? null,
    gpus: gpus.map(({ index, uuid }) => ({ index, uuid })),
    device_mask: indices.join(','),
    slots_total: slots.total,
    slots_free: state === 'ready' ? slots.free : null,
    active_leases: context.load.inFlight,
    vram_total_bytes: sum(facts.map((fact) => fact?.totalBytes ?? null)),
    vram_used_bytes: live || state === 'ready' ? context.samples.vramUsedBytes : null,
    vram_free_bytes: sum(facts.map((fact) => fact?.freeBytes ?? null)),
    residency: context.proof?.residency ?? 'unproven',
    models_available: context.proof?.modelsAvailable ?? [],
    progress: progressView(context, state),
    restarts: context.restart.count,
    incarnation: context.run?.incarnation ?? null,
    last_error: errorView(context, around),
    last_probe_at: rfc3339OrNull(context.samples.at),
    probe_error: live || state === 'ready' ? context.health.failed : null,
    drain_deadline_at: path.startsWith('draining.emptying') ? deadlineOf(context) : null,
  };
};

const deadlineOf = ({ drain }: PoolContext): string | null =>
  rfc3339OrNull(drain === null || drain.startedAt === null ? null : drain.startedAt + drain.deadlineMs);

const degradations = (context: PoolContext, path: string): string[] => [
  ...(path.endsWith('suspect') ? ['suspect'] : []),
  ...(showsSuspicion(context, stateOf(path)) ? ['host_suspected'] : []),
  ...(path.endsWith('recovering') && context.leaving.again ? ['flapping'] : []),
  ...(context.memoryFailed === null ? [] : [context.memoryFailed.code]),
  ...(path === 'uninitialized.idle' && context.wanted === 'up' ? ['gpus_unknown'] : []),
];

const reasonView = ({ reason, restart, retry }: PoolContext): PoolStatus['reason'] =>
  reason && {
    code: reason.code,
    message: reason.message,
    retryable: reasonRow(reason.code).retried,
    attempt: restart.attempt,
    next_retry_at: rfc3339OrNull(retry?.at),
  };

const errorView = ({ lastError }: PoolContext, { since }: PoolSurroundings): PoolStatus['last_error'] =>
  lastError && {
    code: lastError.code,
    message: lastError.message,
    at: rfc3339(lastError.at ?? since),
    exit: lastError.ending?.exit ?? null,
    tail: lastError.ending?.tail ?? [],
  };

/** Of engine and model the one that has more before it. */
const progressView = ({ samples: { progress } }: PoolContext, state: PoolState): PoolStatus['progress'] => {
  if (state !== 'provisioning') return null;
  const step = ahead(progress.engine) > ahead(progress.model) ? 'engine' : 'model';
  const shown = progress[step];
  return shown && { step, done_bytes: shown.doneBytes, total_bytes: shown.totalBytes, bytes_per_second: shown.bytesPerSecond };
};

/** How much is unknown is more than any number. */
const ahead = (progress: Progress | null): number =>
  progress === null ? -1 : progress.totalBytes === null ? Number.POSITIVE_INFINITY : progress.totalBytes - (progress.doneBytes ?? 0);

/** Null as soon as one part is unknown. */
const sum = (parts: readonly (number | null)[]): number | null =>
  parts.length === 0 ? null : parts.reduce<number | null>((total, part) => (total === null || part === null ? null : total + part), 0);
