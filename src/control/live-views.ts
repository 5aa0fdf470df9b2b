/**
 * The living actor system in the API's words, read at the moment of asking. Views are made once per change: a snapshot that
 * is still the same is not translated again.
 *
 * Reads only. Commands are in `commands.ts`.
 */
import type { ActorRefFrom, SnapshotFrom } from 'xstate';
import { cpusOfAll } from '../gpu/place.ts';
import type { NodeMachine } from '../machines/node/machine.ts';
import { gpuViews, latest, memoryOf, type NodeSurroundings, nodeView, placeOfGpu } from '../machines/node/view.ts';
import { differsFromDeclared, type RosterEntry, servingIds, servingOf } from '../machines/policies/roster.ts';
import type { PoolMachine } from '../machines/pool/machine.ts';
import { poolView } from '../machines/pool/view.ts';
import type { RegistrationMachine } from '../machines/registration/machine.ts';
import { registrationView } from '../machines/registration/view.ts';
import type { GpuView, HostFacts, NodeView, PoolStatus } from '../machines/views.ts';
import type { GpuRef, Inventory, RunRecord } from '../machines/vocabulary.ts';
import { type KeptRestarts, shownRestarts } from './kept-restarts.ts';
import type { Since } from './since.ts';

export type NodeRef = ActorRefFrom<NodeMachine>;
export type PoolRef = ActorRefFrom<PoolMachine>;
export type RegistrationRef = ActorRefFrom<RegistrationMachine>;

export interface LiveViewsOptions {
  readonly node: NodeRef;
  readonly since: Since;
  readonly around: Omit<NodeSurroundings, 'registration' | 'host' | 'journalTrouble'> & {
    readonly host: () => HostFacts;
    readonly journalTrouble: () => string | null;
  };
  /** Restarts of a pool that are on disk: no more are shown. */
  readonly keptRestarts: Pick<KeptRestarts, 'of' | 'version'>;
  /** GPU facts older than this are marked stale. */
  readonly staleMs: number;
  readonly now?: () => number;
}

export interface LiveViews {
  node(): NodeView;
  /** Sorted by id. */
  pools(): readonly PoolStatus[];
  pool(id: string): PoolStatus | null;
  gpus(): readonly GpuView[];
  /** Engines of ours that exist, as far as their pools know: also those that replace another, and those replaced. */
  runs(): readonly RunRecord[];
  /** What the processes of an engine, by its berth, hold on its cards, as last seen; null: not known. */
  vramUsedBytes(berth: string): number | null;
  /** Memory of the largest of these GPUs or MIG slices, as last seen; null: not known of one of them. */
  largestGpuBytes(gpus: readonly GpuRef[]): number | null;
  /** CPUs that are nearest to these GPUs, or to the cards of these slices; null: not known. */
  cpusOf(gpus: readonly GpuRef[]): readonly number[] | null;
  poolRef(id: string): PoolRef | null;
  registrationRef(): RegistrationRef | null;
}

/** What there was when a list was made; while it is all the same, so is the list. */
interface Listed {
  readonly kept: number;
  readonly node: SnapshotFrom<NodeMachine>;
  readonly pools: readonly { readonly ref: PoolRef; readonly snapshot: SnapshotFrom<PoolMachine> }[];
  readonly views: readonly PoolStatus[];
}

interface NodeMade {
  readonly node: SnapshotFrom<NodeMachine>;
  readonly registration: SnapshotFrom<RegistrationMachine> | null;
  readonly host: HostFacts;
  readonly journalTrouble: string | null;
  readonly view: NodeView;
}

interface Made {
  readonly snapshot: SnapshotFrom<PoolMachine>;
  readonly inventory: Inventory | null;
  readonly kept: number;
  readonly differs: boolean;
  readonly view: PoolStatus;
}

export const createLiveViews = ({ node, since, around, keptRestarts, staleMs, now = Date.now }: LiveViewsOptions): LiveViews => {
  const made = new Map<string, Made>();
  let listed: Listed | null = null;
  let nodeMade: NodeMade | null = null;
  const startedAt = now();

  const childOf = (actorId: string): unknown => Reflect.get(node.getSnapshot().children, actorId);
  const poolRef = (id: string): PoolRef | null => {
    const entry = servingOf(node.getSnapshot().context.roster, id);
    return entry === null ? null : refOf(entry);
  };
  // The roster names pool actors only.
  const refOf = ({ actorId }: RosterEntry): PoolRef | null => (childOf(actorId) as PoolRef | undefined) ?? null;
  const registrationRef = (): RegistrationRef | null => (childOf('registration') as RegistrationRef | undefined) ?? null;

  const pool = (id: string): PoolStatus | null => {
    const { context } = node.getSnapshot();
    const entry = servingOf(context.roster, id);
    const ref = entry && refOf(entry);
    if (entry === null || ref === null) {
      made.delete(id);
      return null;
    }
    const snapshot = ref.getSnapshot();
    const inventory = latest(context);
    const kept = keptRestarts.of(snapshot.context.poolId);
    const isAtRest = snapshot.context.reload === null && snapshot.context.nextSpec === null;
    const differs = isAtRest && differsFromDeclared(context.roster, entry);
    const before = made.get(id);
    if (before !== undefined && before.snapshot === snapshot && before.inventory === inventory && before.kept === kept && before.differs === differs)
      return before.view;
    const told = poolView(snapshot, { nodeId: context.nodeId, since: since.of(ref.id) ?? startedAt, gpu: (uuid) => memoryOf(context, uuid) });
    const shown = before === undefined ? null : { berth: before.snapshot.context.poolId, restarts: before.view.restarts };
    const degraded = differs ? [...told.degraded, 'not_as_declared'] : told.degraded;
    const view = { ...told, degraded, restarts: shownRestarts({ berth: snapshot.context.poolId, restarts: told.restarts }, kept, shown) };
    made.set(id, { snapshot, inventory, kept, differs, view });
    return view;
  };

  const list = (): readonly PoolStatus[] => {
    const snapshot = node.getSnapshot();
    if (listed?.node === snapshot && listed.kept === keptRestarts.version() && listed.pools.every((one) => one.ref.getSnapshot() === one.snapshot))
      return listed.views;
    const ids = servingIds(snapshot.context.roster);
    const refs = ids.map(poolRef).filter((ref) => ref !== null);
    const views = ids.map(pool).filter((view) => view !== null);
    listed = { node: snapshot, kept: keptRestarts.version(), pools: refs.map((ref) => ({ ref, snapshot: ref.getSnapshot() })), views };
    return views;
  };

  const nodeNow = (): NodeView => {
    const snapshot = node.getSnapshot();
    const registration = registrationRef()?.getSnapshot() ?? null;
    const [host, journalTrouble] = [around.host(), around.journalTrouble()];
    const isSame = nodeMade?.node === snapshot && nodeMade.registration === registration && nodeMade.host === host;
    if (isSame && nodeMade?.journalTrouble === journalTrouble) return nodeMade.view;
    const view = nodeView(snapshot, { ...around, host, journalTrouble, registration: registration === null ? null : registrationView(registration) });
    nodeMade = { node: snapshot, registration, host, journalTrouble, view };
    return view;
  };

  return {
    node: nodeNow,
    pools: list,
    pool,
    gpus: () => gpuViews(node.getSnapshot().context, { now: now(), staleMs }),
    runs: () =>
      Object.values(node.getSnapshot().context.roster).flatMap((entry) => {
        const run = entry.origin === 'attached' ? null : (refOf(entry)?.getSnapshot().context.run ?? null);
        return run === null ? [] : [run];
      }),
    vramUsedBytes: (berth) => {
      const processes = latest(node.getSnapshot().context)?.gpus.flatMap((gpu) => gpu.processes) ?? [];
      const own = processes.filter((process) => process.poolId === berth);
      // A driver that lists none of its processes knows nothing of it: containers and WSL hide them.
      return own.length === 0
        ? null
        : own.reduce<number | null>((sum, { usedBytes }) => (sum === null || usedBytes === null ? null : sum + usedBytes), 0);
    },
    largestGpuBytes: (gpus) => {
      const totals = gpus.map(({ uuid }) => memoryOf(node.getSnapshot().context, uuid)?.totalBytes ?? null);
      return totals.reduce((largest, total) => (largest === null || total === null ? null : Math.max(largest, total)), totals[0] ?? null);
    },
    cpusOf: (gpus) => cpusOfAll(gpus.map(({ uuid }) => placeOfGpu(node.getSnapshot().context, uuid))),
    poolRef,
    registrationRef,
  };
};
