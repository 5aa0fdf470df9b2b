/**
 * Commands to pools: what is refused here is what no chart could answer (no such pool, a node that ends, a spec that is not
 * valid, VRAM that is known not to suffice) or what its state does not accept; the rest is sent, taken, and answered when it is
 * kept on disk.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { stamp } from '../clock.ts';
import { estimateNeedBytes } from '../gpu/estimate/estimate.ts';
import type { CommandResult, NodePort, PoolCommandName, SpecChanges } from '../http/ports.ts';
import type { PoolCommand, ReloadOrder } from '../machines/events.ts';
import { latest } from '../machines/node/view.ts';
import { admit } from '../machines/policies/ledger.ts';
import { matchEntry } from '../machines/policies/match-devices.ts';
import { filedSpec, isBeingReplaced, isOrderedBy, servingOf } from '../machines/policies/roster.ts';
import { acceptedCommands, type CommandView, judgeCommand } from '../machines/pool/commands.ts';
import type { PoolStatus } from '../machines/views.ts';
import type { Cause, PoolSpec } from '../machines/vocabulary.ts';
import type { StateStore } from '../state/store.ts';
import type { LiveViews, NodeRef } from './live-views.ts';

const bootingRetryMs = 1_000;
const endingRetryMs = 5_000;
const vramRetryMs = 30_000;
const longestKeepMs = 1_000;

export interface CommandOptions {
  readonly node: NodeRef;
  readonly views: LiveViews;
  readonly store: StateStore;
  /** Names the pools file in refusals. */
  readonly poolsFile: string;
  /** Declared or attached; a declaration beyond is refused. */
  readonly mostPools: number;
  readonly changeSpec: ChangeSpec;
  readonly hashOf: (spec: PoolSpec) => string;
  /** What engines of a spec were measured to need; null: nothing is known. */
  readonly learnedNeed: (spec: PoolSpec) => number | null;
}

/** A spec with some fields replaced, checked as a whole. One line per mistake. */
export type ChangeSpec = (
  spec: PoolSpec,
  changes: Readonly<Record<string, unknown>>,
) => { readonly ok: true; readonly spec: PoolSpec } | { readonly ok: false; readonly mistakes: readonly string[] };

type Commands = Pick<NodePort, 'accepts' | 'preload' | 'drain' | 'resume' | 'reload' | 'declare' | 'remove'>;
type Refusal = Extract<CommandResult, { readonly ok: false }>;

export const createCommands = ({ node, views, store, poolsFile, mostPools, changeSpec, hashOf, learnedNeed }: CommandOptions): Commands => {
  const refusal = (id: string, command: PoolCommandName): Refusal | PoolStatus => {
    if (isBooting()) return booting;
    const status = views.pool(id);
    if (status === null) return { ok: false, problem: 'unknown_pool' };
    if (node.getSnapshot().context.stopping !== null) return ending;
    const verdict = judgeCommand(standing(status), command);
    return verdict.ok
      ? status
      : { ok: false, problem: 'illegal', message: verdict.message, state: stateOf(status), accepts: withoutFiles(status, verdict.accepts) };
  };
  const standing = ({ pool_id, origin, state, substate }: PoolStatus): CommandView => {
    const { roster } = node.getSnapshot().context;
    const reloading = (views.poolRef(pool_id)?.getSnapshot().context.reload ?? null) !== null || isBeingReplaced(roster, pool_id);
    return { origin, state, substate, reloading, leaving: servingOf(roster, pool_id)?.leaving ?? false };
  };
  /** Its state directory is being read: who has been declared is not known. */
  const isBooting = (): boolean => node.getSnapshot().matches({ lifecycle: 'booting' });
  const give = async (id: string, command: PoolCommand): Promise<CommandResult> => {
    node.send({ type: 'pool.commanded', poolId: id, command, ...stamp() });
    const status = views.pool(id);
    const operationId = command.type === 'pool.reload' ? underWay(id, command) : null;
    await kept(store);
    return status === null ? { ok: false, problem: 'unknown_pool' } : { ok: true, status, operationId };
  };
  /** Null where the order changes nothing that an engine has a part in: then no outcome of it is ever told. */
  const underWay = (id: string, { operationId }: ReloadOrder): string | null => {
    const taken = views.poolRef(id)?.getSnapshot().context.reload?.operationId === operationId;
    return taken || isOrderedBy(node.getSnapshot().context.roster, id, operationId) ? operationId : null;
  };
  /** Null: there is no such pool. */
  const changedSpec = (id: string, changes: SpecChanges): ReturnType<ChangeSpec> | null => {
    const pool = views.poolRef(id)?.getSnapshot().context;
    // What it has taken up already, where its engine of before is still on its way down.
    const spec = pool && (pool.nextSpec ?? pool).spec;
    const entry = servingOf(node.getSnapshot().context.roster, id);
    if (spec === undefined || entry === null) return null;
    if (changes !== 'as_filed') return changeSpec(spec, changes);
    const filed = filedSpec(entry);
    return filed === null
      ? { ok: false, mistakes: [`as_filed: expected a pool of ${poolsFile}, found one that it does not declare`] }
      : { ok: true, spec: filed };
  };
  const order = async (id: string, name: PoolCommandName, make: () => PoolCommand): Promise<CommandResult> => {
    const judged = refusal(id, name);
    return 'problem' in judged ? judged : give(id, make());
  };

  return {
    accepts: (id) => {
      const status = views.pool(id);
      if (status === null || isBooting() || node.getSnapshot().context.stopping !== null) return [];
      return withoutFiles(status, acceptedCommands(standing(status)));
    },
    preload: async (id) => {
      const judged = refusal(id, 'preload');
      if ('problem' in judged) return judged;
      const shortage = judged.live ? null : shortageOf(id);
      if (shortage !== null) return unavailable(shortage);
      return give(id, { type: 'pool.start', ...stamp() });
    },
    drain: (id, deadlineMs) => order(id, 'drain', () => ({ type: 'pool.drain', deadlineMs, ...stamp() })),
    resume: (id) => order(id, 'resume', () => ({ type: 'pool.resume', ...stamp() })),
    reload: async (id, changes) => {
      const judged = refusal(id, 'reload');
      if ('problem' in judged) return judged;
      const changed = changedSpec(id, changes);
      if (changed === null) return { ok: false, problem: 'unknown_pool' };
      if (!changed.ok) return { ok: false, problem: 'invalid', mistakes: changed.mistakes };
      return give(id, { type: 'pool.reload', spec: changed.spec, specHash: hashOf(changed.spec), operationId: randomUUID(), ...stamp() });
    },
    declare: async (spec) => {
      if (isBooting()) return booting;
      if (node.getSnapshot().context.stopping !== null) return ending;
      const there = views.pool(spec.id);
      if (there !== null) return exists(there, poolsFile);
      if (views.pools().length >= mostPools) return full(mostPools);
      await store.declared.write(spec.id, spec);
      node.send({ type: 'pool.declared', spec, specHash: hashOf(spec), origin: 'api', ...stamp() });
      const status = views.pool(spec.id);
      return status === null ? { ok: false, problem: 'unknown_pool' } : { ok: true, status, operationId: null };
    },
    remove: async (id) => {
      const judged = refusal(id, 'remove');
      if ('problem' in judged) return judged;
      if (judged.origin === 'file') return declaredInFile(judged, poolsFile);
      // First, so that a crash in between leaves an engine that is adopted and drained, not a pool that comes back.
      await store.declared.remove(id);
      const given = await give(id, { type: 'pool.remove', ...stamp() });
      // A pool without an engine is gone already: what it was is the answer.
      return given.ok ? given : { ok: true, status: judged, operationId: null };
    },
  };

  /** Null: it fits, or nobody knows. */
  function shortageOf(id: string): Cause | null {
    const { context } = node.getSnapshot();
    const pool = views.poolRef(id)?.getSnapshot().context;
    const entry = servingOf(context.roster, id);
    const inventory = latest(context);
    if (pool === undefined || entry === null || inventory === null || pool.model === null) return null;
    const match = matchEntry(entry, inventory);
    if (!match.matched) return null;
    const needBytes = learnedNeed(pool.spec) ?? estimateNeedBytes(pool.spec, pool.model);
    const admission = admit(context.ledger, { poolId: entry.poolId, needBytes, gpus: match.gpus, inventory, tensorSplit: pool.spec.tensor_split });
    return admission.granted ? null : admission.cause;
  }
};

/**
 * What was told until now is on disk, or the disk takes its time: it must not hold the answer. What a pool is told while its last
 * memory is being written is written after that, hence the second look.
 */
const kept = async (store: Pick<StateStore, 'settled'>): Promise<void> => {
  const settled = async (): Promise<void> => {
    await store.settled();
    await turn();
    await store.settled();
  };
  await Promise.race([settled(), wait(longestKeepMs, undefined, { ref: false })]);
};

/** What a file declares is removed there. */
const withoutFiles = ({ origin }: PoolStatus, accepts: readonly PoolCommandName[]): readonly PoolCommandName[] =>
  accepts.filter((name) => name !== 'remove' || origin !== 'file');

const stateOf = ({ state, substate }: PoolStatus): string => (substate === '' ? state : `${state}.${substate}`);

const ending: Refusal = {
  ok: false,
  problem: 'unavailable',
  code: 'operator',
  message: 'the daemon is shutting down and takes no orders; give it again once it has been started',
  retryAfterMs: endingRetryMs,
  details: {},
};

const booting: Refusal = {
  ok: false,
  problem: 'unavailable',
  code: 'operator',
  message: 'the daemon has just begun and does not know its pools yet; give it again in a moment',
  retryAfterMs: bootingRetryMs,
  details: {},
};

const unavailable = ({ code, message, details }: Cause): Refusal => ({
  ok: false,
  problem: 'unavailable',
  code,
  message,
  retryAfterMs: vramRetryMs,
  details: details ?? {},
});

const exists = (there: PoolStatus, poolsFile: string): Refusal => ({
  ok: false,
  problem: 'illegal',
  message: `pool ${there.pool_id} exists already, ${there.origin === 'file' ? `declared in ${poolsFile}` : `of origin ${there.origin}`}; choose another id, or reload it`,
  state: stateOf(there),
  accepts: [],
});

const full = (most: number): Refusal => ({
  ok: false,
  problem: 'too_many',
  message: `this node has ${most} pools, the most there may be; remove one`,
  retryAfterMs: endingRetryMs,
});

const declaredInFile = (there: PoolStatus, poolsFile: string): Refusal => ({
  ok: false,
  problem: 'illegal',
  message: `pool ${there.pool_id} is declared in ${poolsFile}; take it out of that file, which the daemon notices by itself, or drain it`,
  state: stateOf(there),
  accepts: ['preload', 'drain', 'reload'],
});
