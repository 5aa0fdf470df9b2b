/**
 * Cards that do not exist, for the demo and for tests: memory in use is what live engines of ours were granted.
 *
 * Decides the card's numbers only; runs and their liveness are handed in. Memory of a process that is gone comes back half a
 * second late, as on real cards. An engine without an estimate holds no simulated memory.
 */
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Cause, GpuFact, Inventory, RunRecord } from '../machines/vocabulary.ts';
import type { GpuSource } from './source.ts';

export interface SimulatedCard {
  readonly name: string;
  readonly memoryBytes: number;
  /** `8.6` */
  readonly computeCapability: string;
}

export interface SimulatedDeps {
  readonly cards: readonly SimulatedCard[];
  /** Every run record there is, normally `store.runs.list()`. */
  readonly runs: () => Promise<readonly RunRecord[]>;
  /** Whether the recorded engine process, or anything of its tree, is alive. */
  readonly isAlive: (run: RunRecord) => Promise<boolean> | boolean;
  /** Monotonic milliseconds. */
  readonly mono?: () => number;
}

/** How long memory stays in use after its process is gone. */
export const lateReleaseMs = 500;

interface Holding {
  readonly run: RunRecord;
  /** When it was first found gone; null: alive. */
  readonly goneMono: number | null;
}

/** The same for the same index, always. */
export const simulatedUuid = (index: number): string => `GPU-00000000-51d0-4000-8000-${index.toString(16).padStart(12, '0')}`;

export const simulated = (deps: SimulatedDeps): GpuSource => {
  const mono = deps.mono ?? (() => stamp().mono);
  let holdings: ReadonlyMap<string, Holding> = new Map();
  return {
    name: 'simulated',
    read: async (): Promise<Inventory | Cause> => {
      try {
        holdings = age(holdings, await livingRuns(deps), mono());
      } catch (thrown) {
        return causeOf(thrown, 'state_store_failed');
      }
      const held = [...holdings.values()];
      const gpus = deps.cards.map((card, index) => toFact(card, index, held));
      return { ...stamp(), source: 'simulated', driverVersion: null, cudaVersion: null, gpus };
    },
    close: () => {},
  };
};

const livingRuns = async ({ runs, isAlive }: SimulatedDeps): Promise<readonly RunRecord[]> => {
  const judged = await Promise.all((await runs()).map(async (run) => ({ run, alive: await isAlive(run) })));
  return judged.filter(({ alive }) => alive).map(({ run }) => run);
};

const age = (before: ReadonlyMap<string, Holding>, living: readonly RunRecord[], now: number): ReadonlyMap<string, Holding> => {
  const after = new Map(living.map((run): [string, Holding] => [keyOf(run), { run, goneMono: null }]));
  for (const [key, { run, goneMono }] of before) {
    const since = goneMono ?? now;
    if (!after.has(key) && now - since < lateReleaseMs) after.set(key, { run, goneMono: since });
  }
  return after;
};

const keyOf = (run: RunRecord): string => `${run.poolId}/${run.incarnation}`;

const toFact = (card: SimulatedCard, index: number, held: readonly Holding[]): GpuFact => {
  const uuid = simulatedUuid(index);
  const here = held.filter(({ run }) => run.gpus.some((gpu) => gpu.uuid === uuid));
  const used = Math.min(
    card.memoryBytes,
    here.reduce((sum, { run }) => sum + (shareOf(run, uuid) ?? 0), 0),
  );
  return {
    index,
    uuid,
    pciAddress: null,
    name: card.name,
    memoryTotalBytes: card.memoryBytes,
    memoryUsedBytes: used,
    memoryFreeBytes: card.memoryBytes - used,
    computeCapability: card.computeCapability,
    temperatureC: null,
    powerWatts: null,
    utilisationPercent: null,
    recoveryAction: null,
    processes: here
      .filter(({ goneMono }) => goneMono === null)
      .map(({ run }) => ({ pid: run.pid, usedBytes: shareOf(run, uuid), poolId: run.poolId })),
    mig: null,
  };
};

/** Of what the run was granted, the part on this card: by `tensor_split`, else evenly. */
const shareOf = (run: RunRecord, uuid: string): number | null => {
  if (run.reservedBytes === null) return null;
  const position = run.gpus.findIndex((gpu) => gpu.uuid === uuid);
  return Math.ceil(run.reservedBytes * (run.spec.tensor_split?.[position] ?? 1 / run.gpus.length));
};
