/**
 * What the files of a state directory mean at a start: which pools there are, which files mean nothing any more, what is to be
 * written again. Pure.
 *
 * Declared beats attached, the pools file beats the API but for what was ordered of a pool since its entry last changed, and an engine
 * that runs is never forgotten: without a declaration it becomes an orphan, and so does the second of a pool's two.
 */

import { otherBerthOf, publicIdOf, secondBerthOf } from '../machines/policies/berths.ts';
import { freshRestart } from '../machines/policies/restart.ts';
import { attachedSpec } from '../machines/pool/attached.ts';
import type { BootPool, PoolMemory, PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import type { AttachedRecord, KeptMemory, OverrideRecord, ShelfName, TreeRecord } from './store.ts';

export interface Found {
  readonly bootId: string;
  /** Monotonic ms of this boot, now. */
  readonly mono: number;
  readonly configured: readonly Configured[];
  readonly runs: readonly RunRecord[];
  readonly memories: readonly KeptMemory[];
  readonly declared: readonly PoolSpec[];
  /** Declarations over the API that could not be read. */
  readonly damagedDeclarations: readonly string[];
  readonly overrides: readonly OverrideRecord[];
  readonly attached: readonly AttachedRecord[];
  readonly trees: readonly TreeRecord[];
  readonly hashOf: (spec: PoolSpec) => string;
  /** Of a pool's whole entry. */
  readonly hashEntry: (spec: PoolSpec) => string;
}

export interface Configured {
  readonly spec: PoolSpec;
  readonly specHash: string;
}

export interface Leftover {
  readonly shelf: ShelfName;
  readonly id: string;
  readonly why: string;
}

export interface BootPlan {
  /** Sorted by id; of a pool with two engines the one that goes on first. */
  readonly pools: readonly BootPool[];
  readonly leftovers: readonly Leftover[];
  /** Declarations lost with their file and known from the engine that runs by them. */
  readonly redeclared: readonly PoolSpec[];
  /** What is known of a berth from the other one's memory, which may go once this is written. */
  readonly remembered: readonly KeptMemory[];
}

export const planBoot = (found: Found): BootPlan => {
  const read = byId(found);
  const running = [...read.runs.keys()].map(publicIdOf);
  const ids = [...new Set([...read.configured.keys(), ...read.declared.keys(), ...running, ...read.attached.keys()])].sort();
  const remembered = ids.flatMap((id) => countGoneOnWith(id, read, found.bootId));
  const known = { ...read, memories: new Map([...read.memories, ...mapBy(remembered)]) };
  const pools = ids.flatMap((id) => bootPools(id, known, found));
  return {
    pools,
    leftovers: leftoversOf(found, known, new Set(pools.map(({ poolId }) => poolId))),
    redeclared: [...known.redeclared.values()],
    remembered,
  };
};

/** Memory as far as it holds in this boot: phase, proof and drain only beside the engine they are about, a wait only until it is due. */
export const memoryInBoot = ({ bootId, ...memory }: KeptMemory, { boot, mono }: Now, run: RunRecord | null): PoolMemory => {
  const engineless = run === null || bootId !== boot ? { phase: null, proof: null, drain: null } : {};
  if (bootId !== boot) return { ...memory, ...engineless, restart: { ...memory.restart, startsMono: [] }, retry: null };
  const leftMs = run === null && memory.retry !== null ? memory.retry.mono - mono : 0;
  return { ...memory, ...engineless, retry: memory.retry !== null && leftMs > 0 ? { ...memory.retry, delayMs: leftMs } : null };
};

export interface Now {
  /** Id of this boot of the machine. */
  readonly boot: string;
  /** Monotonic ms of it. */
  readonly mono: number;
}

interface Known {
  readonly configured: ReadonlyMap<string, Configured>;
  /** Of pools whose entry is what it was. */
  readonly overrides: ReadonlyMap<string, OverrideRecord>;
  /** Those restored included. */
  readonly declared: ReadonlyMap<string, PoolSpec>;
  readonly redeclared: ReadonlyMap<string, PoolSpec>;
  /** Of this boot, by berth, as memories are. */
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly memories: ReadonlyMap<string, KeptMemory>;
  /** Of this boot, of pools that are nothing else. */
  readonly attached: ReadonlyMap<string, AttachedRecord>;
}

const byId = ({ bootId, configured, runs, memories, declared, damagedDeclarations, overrides, attached, hashEntry }: Found): Known => {
  const live = mapBy(runs.filter((run) => run.bootId === bootId));
  const kept = mapBy(memories);
  const running = new Set([...live.keys()].map(publicIdOf));
  const inFile = new Map(configured.map((one) => [one.spec.id, one]));
  const redeclared = new Map(
    damagedDeclarations.flatMap((id) => {
      const spec = servingBerth(id, live, kept).run?.spec;
      return spec === undefined || inFile.has(id) ? [] : [[id, spec] as const];
    }),
  );
  const overApi = new Map([...declared.map((spec) => [spec.id, spec] as const), ...redeclared]);
  const isOther = (id: string): boolean => inFile.has(id) || overApi.has(id) || running.has(id);
  const counts = ({ poolId, filedHash }: OverrideRecord): boolean => {
    const filed = inFile.get(poolId);
    return filed === undefined ? filedHash === null && overApi.has(poolId) : hashEntry(filed.spec) === filedHash;
  };
  return {
    configured: inFile,
    overrides: mapBy(overrides.filter(counts)),
    declared: overApi,
    redeclared,
    runs: live,
    memories: kept,
    attached: mapBy(attached.filter((one) => one.bootId === bootId && !isOther(one.poolId))),
  };
};

const mapBy = <T extends { readonly poolId: string }>(values: readonly T[]): ReadonlyMap<string, T> =>
  new Map(values.map((value) => [value.poolId, value]));

const bootPools = (id: string, known: Known, found: Found): readonly BootPool[] => {
  const serving = servingBerth(id, known.runs, known.memories);
  const other = berth(otherBerthOf(serving.poolId), known.runs, known.memories);
  const inBoot = ({ poolId, run, memory }: Berth) => ({
    poolId,
    run,
    memory: memory && memoryInBoot(memory, { boot: found.bootId, mono: found.mono }, run),
  });
  return [{ ...declarationOf(id, known, found), ...inBoot(serving) }, ...(other.run === null ? [] : [{ ...undeclared, ...inBoot(other) }])];
};

/**
 * An engine that takes another's place goes on with its count of restarts. A daemon that was killed before that was written finds
 * the count in the other berth's memory only.
 */
const countGoneOnWith = (id: string, { runs, memories }: Known, bootId: string): readonly KeptMemory[] => {
  const { poolId, memory } = servingBerth(id, runs, memories);
  const { restart } = memory ?? { restart: freshRestart };
  const count = memories.get(otherBerthOf(poolId))?.restart.count ?? 0;
  return count <= restart.count ? [] : [{ ...(memory ?? blankMemory(poolId, bootId)), restart: { ...restart, count } }];
};

const blankMemory = (poolId: string, bootId: string): KeptMemory => ({
  version: 1,
  poolId,
  bootId,
  wanted: 'up',
  restart: freshRestart,
  phase: null,
  proof: null,
  drain: null,
  retry: null,
});

interface Berth {
  readonly poolId: string;
  readonly run: RunRecord | null;
  readonly memory: KeptMemory | null;
}

const berth = (poolId: string, runs: Known['runs'], memories: Known['memories']): Berth => ({
  poolId,
  run: runs.get(poolId) ?? null,
  memory: memories.get(poolId) ?? null,
});

/**
 * Which of its berths the pool goes on in. What was ordered away is what had been replaced, or never took its place; of two
 * engines that are wanted the younger had not yet taken the place of the older.
 */
const servingBerth = (id: string, runs: Known['runs'], memories: Known['memories']): Berth => {
  const [first, second] = [berth(id, runs, memories), berth(secondBerthOf(id), runs, memories)];
  const order = rank(first) - rank(second) || (first.run?.startedMono ?? 0) - (second.run?.startedMono ?? 0);
  return order > 0 ? second : first;
};

/** Wanted comes before running, running before remembered. */
const rank = ({ run, memory }: Berth): number => {
  if (run === null && memory === null) return 4;
  return (memory?.wanted === 'down' ? 2 : 0) + (run === null ? 1 : 0);
};

/** An orphan's origin is not known any more; `file` is what it is shown as while it drains. */
const undeclared = { origin: 'file', spec: null, specHash: null, overrides: null, former: null, handoff: null } as const;

type Declared = Pick<BootPool, 'origin' | 'spec' | 'specHash' | 'overrides' | 'former' | 'handoff'>;

const declarationOf = (id: string, known: Known, { hashOf }: Found): Declared => {
  const ofSpec = (spec: PoolSpec) => ({ spec, specHash: hashOf(spec) });
  const configured = known.configured.get(id);
  const declared = known.declared.get(id);
  const record = known.overrides.get(id);
  const ordered = record && { ...ofSpec(record.spec), former: record.former && ofSpec(record.former) };
  if (configured !== undefined)
    return { origin: 'file', ...configured, overrides: ordered === undefined ? null : configured.spec, former: null, ...ordered, handoff: null };
  if (declared !== undefined) return { origin: 'api', ...ofSpec(declared), overrides: null, former: null, ...ordered, handoff: null };
  const handoff = known.attached.get(id)?.handoff;
  if (handoff === undefined) return undeclared;
  const spec = attachedSpec(handoff);
  return { origin: 'attached', spec, specHash: hashOf(spec), overrides: null, former: null, handoff };
};

const leftoversOf = (found: Found, known: Known, planned: ReadonlySet<string>): readonly Leftover[] => [
  ...found.runs.filter(({ bootId }) => bootId !== found.bootId).map(leftover('runs', 'its engine ended with an earlier boot')),
  ...found.trees
    .filter(({ poolId, incarnation }) => known.runs.get(poolId)?.incarnation !== incarnation)
    .map(leftover('trees', 'its engine is not recorded any more')),
  ...found.overrides
    .filter(({ poolId }) => !known.overrides.has(poolId))
    .map(leftover('overrides', 'the pools file says something else of the pool since')),
  ...found.declared
    .filter(({ id }) => known.configured.has(id))
    .map(({ id }) => leftover('declared', 'the pools file declares the pool now')({ poolId: id })),
  ...found.attached.filter(({ poolId }) => !known.attached.has(poolId)).map(leftover('attached', 'of an earlier boot, or the pool is declared now')),
  ...found.memories.filter(({ poolId }) => !planned.has(poolId)).map(leftover('memories', 'nothing declares the pool and no engine of it runs')),
];

const leftover =
  (shelf: Leftover['shelf'], why: string) =>
  ({ poolId }: { readonly poolId: string }): Leftover => ({ shelf, id: poolId, why });
