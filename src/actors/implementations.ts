/** The table name → logic: every effect that the charts ask for, made from what the daemon has. Decides nothing. */
import { causeOf } from '../cause.ts';
import type { EndpointRules } from '../engines/endpoint.ts';
import type { PlaceOf } from '../gpu/place.ts';
import type { GpuSource } from '../gpu/source.ts';
import type { UvmCheck } from '../gpu/uvm.ts';
import { nodeMachine } from '../machines/node/machine.ts';
import { poolMachine } from '../machines/pool/machine.ts';
import { registrationMachine } from '../machines/registration/machine.ts';
import type { Cause, GpuRef, PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import type { Provisioning } from '../provisioning/provisioning.ts';
import type { Configured } from '../state/boot-plan.ts';
import type { StateStore } from '../state/store.ts';
import { adoptEngine } from './adopt-engine.ts';
import { announceHandoff } from './announce-handoff.ts';
import { awaitRelease } from './await-release.ts';
import { awaitTreeGone } from './await-tree-gone.ts';
import { deregisterNode } from './deregister-node.ts';
import { dropRecord } from './drop-record.ts';
import { freshVram } from './fresh-vram.ts';
import { keepMemory } from './keep-memory.ts';
import { keepRoster } from './keep-roster.ts';
import type { Trees } from './launch/descendants.ts';
import type { Ports } from './launch/ports.ts';
import type { Launcher } from './launcher.ts';
import type { LearnedNeeds } from './learned-needs.ts';
import { loadState } from './load-state.ts';
import { measureGpus } from './measure-gpus.ts';
import type { Owners } from './name-owners.ts';
import { pauseTogether } from './pause-together.ts';
import { suspectHost } from './probe/host-suspicion.ts';
import type { ListenerOwner } from './probe/probe-once.ts';
import { probeHealth } from './probe-health.ts';
import { proveReadiness } from './prove-readiness.ts';
import { provisionEngine } from './provision-engine.ts';
import { provisionModel } from './provision-model.ts';
import { recallPool } from './recall-pool.ts';
import { type RegistrationDeps, registerNode } from './register-node.ts';
import { sendHeartbeat } from './send-heartbeat.ts';
import { spawnEngine } from './spawn-engine.ts';
import { stopEngine } from './stop-engine.ts';
import { watchEngine } from './watch-engine.ts';
import { watchGpus } from './watch-gpus.ts';
import { watchHandoffs } from './watch-handoffs.ts';
import { watchKernel } from './watch-kernel.ts';
import { watchStart } from './watch-start.ts';

export interface Effects extends Provisioning {
  readonly store: StateStore;
  readonly launcher: Launcher;
  readonly trees: Trees;
  readonly ports: Ports;
  readonly source: GpuSource;
  readonly uvm: UvmCheck;
  readonly listenerOwner: ListenerOwner;
  readonly owners: Owners;
  readonly learned: LearnedNeeds;
  readonly vramUsedBytes: (run: RunRecord) => number | null;
  readonly largestGpuBytes: (gpus: readonly GpuRef[]) => number | null;
  readonly placeOf: PlaceOf;
  readonly cpusOf: (gpus: readonly GpuRef[]) => readonly number[] | null;
  readonly readApiKey: (run: RunRecord) => Promise<string | null>;
  readonly createLog: (poolId: string, incarnation: string) => Promise<string>;
  readonly configured: () => readonly Configured[];
  readonly hashOf: (spec: PoolSpec) => string;
  /** Of a pool's whole entry in the pools file. */
  readonly hashEntry: (spec: PoolSpec) => string;
  /** What could not be kept on disk of a pool that is gone or of a watch that goes on. */
  readonly onTrouble: (poolId: string, cause: Cause) => void;
  readonly sweepContainers: (recorded: readonly RunRecord[]) => Promise<readonly string[]>;
  readonly bootId: string;
  readonly advertiseHost: string;
  readonly baseDir: string;
  readonly handoffs: { readonly runtimeDir: string; readonly autoDelete: boolean; readonly rules: EndpointRules; readonly intervalMs: number };
  /** Null: the cards are simulated. */
  readonly kernelLog: string | null;
  readonly gpus: { readonly intervalMs: number; readonly readDeadlineMs: number };
  /** Null: this node stands alone. */
  readonly registration: RegistrationDeps | null;
}

export const provideEffects = (effects: Effects) =>
  nodeMachine.provide({
    actors: {
      pool: providePool(effects),
      ...(effects.registration !== null && { registration: provideRegistration(effects.registration) }),
      loadState: loadState(effects),
      recallPool: recallPool(effects),
      watchGpus: watchGpus({ ...effects, ...effects.gpus }),
      watchKernel: watchKernel(effects),
      watchHandoffs: watchHandoffs(effects.handoffs),
      keepRoster: keepRoster({ ...effects, lost: effects.onTrouble }),
    },
  });

const providePool = (effects: Effects) => {
  const { store, source, listenerOwner, readApiKey, trees, gpus, handoffs } = effects;
  const { runs } = store;
  const { runtimeDir } = handoffs;
  const forgetting = { ...effects, runs };
  const probing = { listenerOwner, readApiKey };
  const learn = (run: RunRecord, vramBytes: number): void =>
    void effects.learned.note(run, vramBytes).catch((thrown: unknown) => effects.onTrouble(run.poolId, causeOf(thrown, 'state_store_failed')));
  const membersOf = (run: RunRecord) => trees.membersOf(run);
  const together = pauseTogether();
  const lookAtVram = freshVram({ source, owners: effects.owners, readDeadlineMs: gpus.readDeadlineMs });
  return poolMachine.provide({
    actors: {
      provisionEngine: provisionEngine(effects),
      provisionModel: provisionModel(effects),
      measureGpus: measureGpus({ source, obstacle: effects.uvm, owners: effects.owners, learned: effects.learned.needOf, ...gpus }),
      spawnEngine: spawnEngine({ ...effects, runs, simulated: source.name === 'simulated' }),
      adoptEngine: adoptEngine(effects),
      announceHandoff: announceHandoff({ runtimeDir }),
      proveReadiness: proveReadiness({ ...probing, residency: { vramUsedBytes: lookAtVram, membersOf }, learn }),
      stopEngine: stopEngine({ ...forgetting, runtimeDir }),
      awaitTreeGone: awaitTreeGone({ trees }),
      awaitRelease: awaitRelease({ source, pidsOf: (run) => trees.pidsOf(run), readDeadlineMs: gpus.readDeadlineMs }),
      dropRecord: dropRecord(forgetting),
      watchEngine: watchEngine({ ...effects, together, onTrouble: (run, cause) => effects.onTrouble(run.poolId, cause) }),
      watchStart: watchStart(effects),
      probeHealth: probeHealth({
        ...probing,
        vramUsedBytes: effects.vramUsedBytes,
        residency: { vramUsedBytes: effects.vramUsedBytes, membersOf },
        suspicion: suspectHost(),
        together,
      }),
      keepMemory: keepMemory({ memories: store.memories, bootId: effects.bootId, lost: effects.onTrouble }),
    },
  });
};

const provideRegistration = (deps: RegistrationDeps) =>
  registrationMachine.provide({
    actors: { registerNode: registerNode(deps), sendHeartbeat: sendHeartbeat(deps), deregisterNode: deregisterNode(deps) },
  });
