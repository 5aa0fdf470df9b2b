/**
 * Reads the state directory at the start, clears away what means nothing any more, and says what pools there are.
 *
 * Rejects only where a folder cannot be read at all: going on would start second engines beside those that run. Stopping it
 * leaves the files as they are then; reading again finds the same.
 */
import { relative } from 'node:path';
import { fromPromise } from 'xstate';
import { causeOf, isCause } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { BootState, nodeActors } from '../machines/node/actors.ts';
import { otherBerthOf } from '../machines/policies/berths.ts';
import type { Failure } from '../machines/pool/actors.ts';
import type { Cause, PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import { type BootPlan, type Configured, type Found, type Leftover, planBoot } from '../state/boot-plan.ts';
import { folders, type ShelfName, type StateStore } from '../state/store.ts';
import { sweepExitFifos } from './launch/exit-fifo.ts';

export interface LoadStateDeps {
  readonly store: StateStore;
  /** Pools of the pools file. */
  readonly configured: () => readonly Configured[];
  readonly hashOf: (spec: PoolSpec) => string;
  readonly hashEntry: (spec: PoolSpec) => string;
  readonly bootId: string;
  /** Removes the containers of starts that none of these runs names, and says which; absent: there are none. */
  readonly sweepContainers?: (recorded: readonly RunRecord[]) => Promise<readonly string[]>;
}

export const loadState = (deps: LoadStateDeps): typeof nodeActors.loadState =>
  fromPromise<BootState & { readonly setAside: readonly Cause[]; readonly cleaned: readonly string[] }, Record<string, never>>(async () => {
    try {
      const lists = await listAll(deps.store);
      const plan = planBoot(foundIn(lists, deps));
      const failures = await carryOut(plan, deps.store);
      const fifos = await sweepExitFifos(deps.store.dir, lists.runs.values).catch((thrown: unknown) => causeOf(thrown, 'state_store_failed'));
      const ofThisBoot = lists.runs.values.filter(({ bootId }) => bootId === deps.bootId);
      const strays = (await deps.sweepContainers?.(ofThisBoot)) ?? [];
      return {
        pools: plan.pools,
        setAside: [
          ...Object.values(lists).flatMap(({ setAside }) => setAside.map(({ cause }) => cause)),
          ...failures,
          ...(isCause(fifos) ? [fifos] : []),
        ],
        cleaned: [
          ...sweptIn(lists),
          ...plan.leftovers.map(said),
          ...(isCause(fifos) ? [] : fifos.map((path) => `${relative(deps.store.dir, path)}: of a start that was cut off`)),
          ...strays.map((name) => `container ${name}: of a start that no record names`),
        ],
        ...stamp(),
      };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'state_store_failed'), ...stamp() } satisfies Failure;
    }
  });

const listAll = async ({ runs, memories, declared, overrides, attached, trees }: StateStore) => ({
  runs: await runs.list(),
  memories: await memories.list(),
  declared: await declared.list(),
  overrides: await overrides.list(),
  attached: await attached.list(),
  trees: await trees.list(),
});

type Lists = Awaited<ReturnType<typeof listAll>>;

const foundIn = (
  { runs, memories, declared, overrides, attached, trees }: Lists,
  { configured, hashOf, hashEntry, bootId }: LoadStateDeps,
): Found => ({
  bootId,
  mono: stamp().mono,
  hashOf,
  hashEntry,
  configured: configured(),
  runs: runs.values,
  memories: memories.values,
  declared: declared.values,
  damagedDeclarations: declared.setAside.flatMap(({ id }) => (id === null ? [] : [id])),
  overrides: overrides.values,
  attached: attached.values,
  trees: trees.values,
});

/** What could not be done, which the next start tries again. */
const carryOut = async ({ leftovers, redeclared, remembered }: BootPlan, store: StateStore): Promise<readonly Cause[]> => {
  const kept = await Promise.allSettled(remembered.map((memory) => store.memories.write(memory.poolId, memory)));
  const only = new Set(remembered.filter((_, index) => kept[index]?.status === 'rejected').map(({ poolId }) => otherBerthOf(poolId)));
  const done = await Promise.allSettled([
    ...leftovers.filter(({ shelf, id }) => shelf !== 'memories' || !only.has(id)).map(({ shelf, id }) => store[shelf].remove(id)),
    ...redeclared.map((spec) => store.declared.write(spec.id, spec)),
  ]);
  return [...kept, ...done].flatMap((one) => (one.status === 'rejected' ? [causeOf(one.reason, 'state_store_failed')] : []));
};

const sweptIn = (lists: Lists): readonly string[] =>
  shelves.flatMap((shelf) => lists[shelf].swept.map((name) => `${folders[shelf]}/${name}: left by a write that was cut off`));

const shelves: readonly (keyof Lists & ShelfName)[] = ['runs', 'memories', 'declared', 'overrides', 'attached', 'trees'];

const said = ({ shelf, id, why }: Leftover): string => `${folders[shelf]}/${id}.json: ${why}`;
