/** How a pool comes into the roster: its entry and its actor's input, from what is known of it. Pure. */
import { textOf } from '../error-text.ts';
import { matchEntry } from '../policies/match-devices.ts';
import type { Declaration, RosterEntry } from '../policies/roster.ts';
import type { PoolInput } from '../pool/context.ts';
import type { BootPool, Cause, Inventory, PoolOrigin } from '../vocabulary.ts';

export interface Birth {
  readonly entry: RosterEntry;
  readonly input: PoolInput;
}

/** Where it stands in the roster, beside what is known of the pool itself. */
export type Standing = Partial<Pick<RosterEntry, 'crashes' | 'role' | 'order' | 'next' | 'pinned' | 'successor'>>;

/**
 * An engine that runs goes on under the spec it was started with, also when that is no longer the declared one. Null: neither
 * a declaration nor an engine, so there is nothing to make a pool of.
 */
export const birthOf = (pool: BootPool, number: number, inventory: Inventory | null, standing: Standing = {}): Birth | null => {
  const { crashes = 0, role = 'serving', order = null, next = null, pinned = null, successor = null } = standing;
  const { poolId, origin, memory, handoff } = pool;
  // The same engine under new times: those are taken up at once.
  const own = [pool, pool.former].find((one) => one !== null && one.specHash === pool.run?.specHash)?.spec ?? null;
  const run = pool.run !== null && own !== null ? { ...pool.run, spec: own } : pool.run;
  const spec = run?.spec ?? pool.spec;
  const specHash = run?.specHash ?? pool.specHash;
  if (spec === null || specHash === null) return null;
  const declared = pool.spec === null || pool.specHash === null ? null : { spec: pool.spec, specHash: pool.specHash };
  // An order over the API that had not had its outcome when the daemon ended; the engine has what was declared before it.
  const isOrdered = declared !== null && declared.specHash !== specHash && (origin === 'api' || pool.overrides !== null);
  // The same, where what was ordered is what runs, or is to be started: it has yet to show that it comes up.
  const isTried = specHash === pool.specHash && (memory?.proof ?? null) === null && memory?.wanted !== 'down';
  const pending = isTried && pool.former?.specHash !== specHash ? pool.former : null;
  const devices = spec.devices;
  const fit = origin === 'attached' || inventory === null ? null : matchEntry({ devices, pinned: run?.gpus ?? pinned }, inventory);
  const gpus = fit?.matched === true ? fit.gpus : null;
  return {
    entry: {
      poolId,
      actorId: `${poolId}#${number}`,
      origin,
      declared,
      overrides: pool.overrides,
      former: isOrdered ? (pool.former ?? { spec, specHash }) : pending,
      handoff,
      devices,
      pinned: run?.gpus ?? gpus,
      told: fit === null ? 'nothing' : fit.matched ? 'matched' : 'unmatched',
      lacks: fit === null || fit.matched ? null : fit.cause.code,
      report: null,
      adopting: run !== null,
      crashes,
      successor,
      leaving: declared === null,
      role,
      order,
      next,
    },
    input: {
      poolId,
      origin,
      spec,
      specHash,
      gpus,
      gpuCause: fit === null || fit.matched ? null : fit.cause,
      run,
      memory,
      handoff,
      orphaned: declared === null,
      beside: order && { operationId: order.operationId },
      reloading: pending && { operationId: `declared-${specHash}`, previous: pending },
    },
  };
};

/** A pool that has just been declared: nothing of it is on disk yet. */
export const declaredPool = (declared: Declaration & { readonly origin: PoolOrigin }, berth: string): BootPool => ({
  poolId: berth,
  origin: declared.origin,
  spec: declared.spec,
  specHash: declared.specHash,
  overrides: null,
  former: null,
  run: null,
  memory: null,
  handoff: null,
});

export const brokenChild = (actorId: string, error: unknown): Cause => ({
  code: 'driver_error',
  message: `${actorId} broke and is not there until the daemon is restarted: ${textOf(error)}`,
});
