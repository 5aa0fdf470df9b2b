/**
 * The roster: which pools a node has, as plain data; the pool actors themselves are children addressed by `actorId`.
 *
 * Kept by berth: a pool has one entry that serves, and while its engine is being replaced beside it a hidden one.
 *
 * Pure. Every function returns a new roster or what is to be said to whom; sending is the node's.
 */
import type { PoolReport, ReloadOrder } from '../events.ts';
import type { ReasonCode } from '../reasons.ts';
import type { GpuRef, Handoff, PoolOrigin, PoolSpec } from '../vocabulary.ts';
import { otherBerthOf, publicIdOf, secondBerthOf } from './berths.ts';

export interface RosterEntry {
  /** Of its berth. */
  readonly poolId: string;
  /** `pool-0#7`: no two actors of one node ever have the same. */
  readonly actorId: string;
  readonly origin: PoolOrigin;
  /**
   * As declared last, by whoever did. A rollback leaves what the pools file declares, so that it is not tried twice, and takes back
   * what was ordered. Null: nothing declares it any more.
   */
  readonly declared: Declaration | null;
  /** What the pools file says of it, while an order over the API counts instead; null: the file counts, or does not know it. */
  readonly overrides: PoolSpec | null;
  /** What was declared before an order over the API whose outcome is not known yet; null: there is none. */
  readonly former: Declaration | null;
  /** What an attached pool was made from. */
  readonly handoff: Handoff | null;
  readonly devices: PoolSpec['devices'];
  /** What the devices were resolved to, once; kept over renumbering. */
  readonly pinned: readonly GpuRef[] | null;
  /** What the pool was told of its GPUs last. */
  readonly told: 'nothing' | 'matched' | 'unmatched';
  /** Why they do not match, as it was told; null: they do, or nothing was told. */
  readonly lacks: ReasonCode | null;
  readonly report: Omit<Extract<PoolReport, { type: 'pool.changed' }>, 'type' | 'poolId' | 'devices'> | null;
  /** Its recorded engine is being identified. */
  readonly adopting: boolean;
  readonly crashes: number;
  /** Its end has been ordered; once it has ended this declaration takes its place. */
  readonly successor: Declaration | null;
  readonly leaving: boolean;
  /** `serving`: what the pool is to everybody. Hidden: `rising` takes its place once ready, `retiring` ends. */
  readonly role: 'serving' | 'rising' | 'retiring';
  /** Of a rising one: what it was raised for. */
  readonly order: ReloadOrder | null;
  /** Of a serving one: waits until it has been adopted and the other berth is free. */
  readonly next: ReloadOrder | null;
}

export interface Declaration {
  readonly spec: PoolSpec;
  readonly specHash: string;
}

export type Roster = Readonly<Record<string, RosterEntry>>;

export const withEntry = (roster: Roster, poolId: string, changes: Partial<RosterEntry>): Roster => {
  const entry = roster[poolId];
  return entry === undefined ? roster : { ...roster, [poolId]: { ...entry, ...changes } };
};

export const withoutEntry = (roster: Roster, poolId: string): Roster => {
  const { [poolId]: _gone, ...others } = roster;
  return others;
};

export const isServing = ({ role }: RosterEntry): boolean => role === 'serving';

/** By the pool's public id. */
export const servingOf = (roster: Roster, poolId: string): RosterEntry | null =>
  [roster[poolId], roster[secondBerthOf(poolId)]].find((entry) => entry !== undefined && isServing(entry) && publicIdOf(entry.poolId) === poolId) ??
  null;

/** Public ids, sorted. */
export const servingIds = (roster: Roster): readonly string[] =>
  Object.values(roster)
    .filter(isServing)
    .map(({ poolId }) => publicIdOf(poolId))
    .sort();

/** What is in the other berth of the same pool. */
export const besideOf = (roster: Roster, berth: string): RosterEntry | null => roster[otherBerthOf(berth)] ?? null;

/** A file with an incarnation names the berth of one of our engines; any other is of the pool. */
export const addresseeOf = (roster: Roster, { poolId, incarnation }: Pick<Handoff, 'poolId' | 'incarnation'>): RosterEntry | null =>
  (incarnation === null ? undefined : roster[poolId]) ?? servingOf(roster, publicIdOf(poolId));

/** It has a spec of other cards than it had, of which it has been told nothing. */
export const movedTo = (entry: RosterEntry, devices: PoolSpec['devices']): Partial<RosterEntry> =>
  entry.origin === 'attached' || JSON.stringify(devices) === JSON.stringify(entry.devices)
    ? {}
    : { devices, pinned: null, told: 'nothing', lacks: null };

/** Another engine comes up beside the one that serves, or is to as soon as it can. */
export const isBeingReplaced = (roster: Roster, poolId: string): boolean => {
  const entry = servingOf(roster, poolId);
  return entry !== null && (entry.next !== null || besideOf(roster, entry.poolId)?.role === 'rising');
};

/** The file, or who declared it, says something else than what it has, and nothing more is done about that: a reload came to nothing. */
export const differsFromDeclared = (roster: Roster, { poolId, declared, report, leaving }: RosterEntry): boolean =>
  declared !== null && report !== null && !leaving && declared.specHash !== report.specHash && !isBeingReplaced(roster, publicIdOf(poolId));

/** One comes up, or is to, because of this order. */
export const isOrderedBy = (roster: Roster, poolId: string, operationId: string): boolean => {
  const entry = servingOf(roster, poolId);
  if (entry === null) return false;
  return [entry.next, besideOf(roster, entry.poolId)?.order].some((order) => order?.operationId === operationId);
};

/** Where a pool that has nothing serving goes. */
export const freeBerth = (roster: Roster, poolId: string): string => (roster[poolId] === undefined ? poolId : secondBerthOf(poolId));

/** Whether a control plane that dispatches by it would want to know at once. */
export const changesReadiness = (before: RosterEntry['report'], now: NonNullable<RosterEntry['report']>): boolean =>
  before === null || before.ready !== now.ready || before.draining !== now.draining || (before.slotsFree === 0) !== (now.slotsFree === 0);

/** No pool has an engine that is still to be ended. Attached engines are not ours to end. */
export const hasSettled = (roster: Roster): boolean =>
  Object.values(roster).every(({ origin, report, adopting }) => origin === 'attached' || (!adopting && (report === null || !isBusy(report))));

export const unsettled = (roster: Roster): readonly string[] =>
  Object.values(roster)
    .filter((entry) => !hasSettled({ [entry.poolId]: entry }))
    .map(({ poolId }) => poolId);

const isBusy = ({ state }: NonNullable<RosterEntry['report']>): boolean => state !== 'offline' && state !== 'uninitialized';

/**
 * What a valid pools file changes: declarations that are new, gone, or not what the file said of the pool before. Pools that only the
 * API declares are left alone, and so is what was ordered over the API for a pool whose entry is as it was.
 */
export interface RosterDiff {
  /** Those whose place is taken by what ends, or has nothing that is ours to end, included. */
  readonly added: readonly Declaration[];
  readonly changed: readonly Declaration[];
  /** Changed in what the engine has no part in: times, probes, restart policy; or the file comes to say what was ordered. */
  readonly adjusted: readonly Declaration[];
  readonly removed: readonly string[];
  /** Were to come back once what is there of them has ended. */
  readonly dropped: readonly string[];
}

/** What the pools file says of it; null: nothing. */
export const filedSpec = ({ origin, overrides, declared }: RosterEntry): PoolSpec | null =>
  origin === 'file' ? (overrides ?? declared?.spec ?? null) : null;

/** An order over the API counts for a pool of the pools file until the file says something else of it. */
export const redeclared = (entry: RosterEntry, declared: Declaration): Pick<RosterEntry, 'declared' | 'overrides'> => {
  const filed = filedSpec(entry);
  return { declared, overrides: filed === null || isSameSpec(filed, declared.spec) ? null : filed };
};

export const isSameSpec = (one: PoolSpec, other: PoolSpec): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);

export const diffRoster = (roster: Roster, declared: readonly Declaration[]): RosterDiff => {
  const ids = new Set(declared.map(({ spec }) => spec.id));
  const own = (id: string): RosterEntry | null => {
    const entry = servingOf(roster, id);
    return entry?.origin === 'file' ? entry : null;
  };
  const news = (spec: PoolSpec): RosterEntry | null => {
    const entry = own(spec.id);
    const filed = entry === null || entry.leaving ? null : filedSpec(entry);
    return filed === null || isSameSpec(filed, spec) ? null : entry;
  };
  return {
    added: declared.filter(({ spec }) => {
      const entry = servingOf(roster, spec.id);
      return entry === null || entry.leaving || entry.origin === 'attached';
    }),
    changed: declared.filter(({ spec, specHash }) => {
      const entry = news(spec);
      return entry !== null && entry.declared?.specHash !== specHash;
    }),
    adjusted: declared.filter(({ spec, specHash }) => news(spec)?.declared?.specHash === specHash),
    removed: Object.values(roster)
      .filter(({ poolId, origin, leaving, role }) => role === 'serving' && origin === 'file' && !leaving && !ids.has(publicIdOf(poolId)))
      .map(({ poolId }) => publicIdOf(poolId)),
    dropped: Object.values(roster)
      .filter(({ poolId, successor }) => successor !== null && !ids.has(publicIdOf(poolId)))
      .map(({ poolId }) => publicIdOf(poolId)),
  };
};
