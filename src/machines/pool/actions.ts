/**
 * Everything a pool does, as orders: assigns to its context, words to its children and to its node.
 *
 * Pure: what leaves the machine is a message or a named actor. Words to node and children are guarded, since a pool folded
 * from a journal has neither. What orders and failures make of the context is in `orders.ts` and `blame.ts`.
 */
import { assign, enqueueActions } from 'xstate';
import { noteLeaving } from '../policies/flapping.ts';
import { outcomeOfHandoff } from '../policies/handoff.ts';
import { recalledGraceMs } from '../policies/limits.ts';
import { closeBreaker, noteStable, noteStart } from '../policies/restart.ts';
import type {
  Cause,
  DrainWhy,
  EnginePresent,
  GpuRef,
  Handoff,
  HandoffOutcome,
  Inventory,
  Load,
  ModelPresent,
  PoolMemory,
  PoolSpec,
  PoolState,
  ProbeOutcome,
  Progress,
  Proof,
  RunRecord,
} from '../vocabulary.ts';
import type { ProbePace } from './actors.ts';
import { attachedRun } from './attached.ts';
import { backedOff, blamed, causeOfBlame, gpusBlamed, heldVram, reloadFailed, stuck, unstuck, waitedOn } from './blame.ts';
import { type Drain, noProbes, noProgress, type PoolContext, unknownLoad } from './context.ts';
import { stampOf } from './failure.ts';
import { memoryOf, recalledDrain } from './memory.ts';
import {
  adjustSpec,
  cancelReload,
  orderAgain,
  orderOf,
  rollBack,
  shutDown,
  switchSpec,
  takeUpSpec,
  turnsBackFor,
  wantDown,
  wantRemoved,
  wantUp,
} from './orders.ts';
import { changed } from './reports.ts';
import { base } from './setup.ts';

/** What was ordered meanwhile takes the place of what was recorded, but for an order of before that ends sooner. */
const sooner = (recalled: Drain, ordered: Drain | null): Drain =>
  ordered === null || (recalled.why === 'operator' && recalled.deadlineMs <= ordered.deadlineMs) ? recalled : ordered;

const drainOf = (context: PoolContext, event: unknown, why: DrainWhy, deadlineMs: number | null): Drain => ({
  why,
  deadlineMs: deadlineMs ?? context.spec.timeouts.drain_ms,
  startedMono: stampOf(event)?.mono ?? null,
  startedAt: stampOf(event)?.at ?? null,
  forced: false,
});

export const pool = base.extend({
  actions: {
    // --- what is wanted
    wantUp: assign(({ context }) => wantUp(context)),
    orderAgain: assign(({ context, event }) => orderAgain(context, event)),
    wantDown: assign(({ context, event }) => wantDown(context, event)),
    markForRemoval: assign(({ context, event }) => wantRemoved(context, event, event.type === 'pool.remove' ? event.cause : undefined)),
    markForShutDown: assign(({ context, event }) => shutDown(context, event)),
    takeUpSpec: enqueueActions(({ context, event, enqueue, self }) => {
      if (event.type !== 'pool.reload') return;
      if (self._parent && context.reload !== null)
        enqueue.sendTo(self._parent, {
          type: 'reload.settled',
          poolId: context.poolId,
          operationId: context.reload.operationId,
          outcome: 'given_up',
          cause: { code: 'superseded', message: 'another spec was ordered before this one was ready' },
          stamp: stampOf(event),
        });
      enqueue.assign(takeUpSpec(context, event));
    }),
    adjustSpec: assign(({ context }, { spec }: { spec: PoolSpec }) => adjustSpec(context, spec)),
    switchSpec: assign(({ context }) => switchSpec(context)),
    rollBack: assign(({ context }) => rollBack(context)),
    tellOfWait: enqueueActions(({ context, event, enqueue, self }) => {
      const stamp = stampOf(event);
      if (self._parent && context.nextSpec !== null && context.reload === null && stamp !== null)
        enqueue.sendTo(self._parent, { type: 'declaration.waits', poolId: context.poolId, stamp });
    }),
    cancelReload: assign(({ context }) => cancelReload(context)),

    // --- why it is where it is
    blame: assign(({ context, event }, { cause }: { cause: Cause }) => blamed(context, event, cause)),
    /** A reason that is no error. */
    giveReason: assign(({ event }, { cause }: { cause: Cause }) => ({ reason: { ...cause, at: stampOf(event)?.at ?? null } })),
    /** What stands against a recorded engine, or one that has just been made. */
    recallOrder: assign(({ context, event }) => orderOf(context, event)),
    blameGpus: assign(({ context, event }) => gpusBlamed(context, event)),
    blameHeldVram: assign(({ context, event }, { heldBytes }: { heldBytes: number | null }) => heldVram(context, event, heldBytes)),
    noteStuck: assign(({ context, event }, { cause }: { cause: Cause }) => stuck(context, event, cause)),
    noteUnstuck: assign(({ context }) => unstuck(context)),
    clearReason: assign({ reason: null, retry: null, recordedRetry: null }),
    forgetRetry: assign({ retry: null, recordedRetry: null }),
    goOnWaiting: assign(({ context }) => waitedOn(context)),

    // --- starts and failures counted
    noteStart: assign(({ context }, { mono }: { mono: number }) => ({ restart: noteStart(context.restart, context.spec.restart, mono) })),
    scheduleRetry: assign(({ context, event }) => backedOff(context, event)),
    noteStable: assign(({ context }) => ({ restart: noteStable(context.restart) })),
    closeBreaker: assign(({ context }) => ({ restart: closeBreaker(context.restart) })),
    carryRestarts: assign(({ context: { restart } }, { restarts }: { restarts: number }) => ({
      restart: { ...restart, count: restart.count + restarts },
    })),
    takeFileAsOrigin: assign({ origin: 'file' }),
    noteMemoryFailure: assign((_, { cause }: { cause: Cause }) => ({ memoryFailed: cause })),
    clearMemoryFailure: assign({ memoryFailed: null }),

    // --- GPUs, engine, model
    keepGpus: assign((_, { gpus }: { gpus: readonly GpuRef[] }) => ({ gpus, gpuCause: null })),
    loseGpus: assign((_, { cause }: { cause: Cause }) => ({ gpus: null, gpuCause: cause })),
    // Outputs carry a stamp, which is no part of what is kept.
    keepEngine: assign((_, { engine: { executable, version, knownFlags } }: { engine: EnginePresent }) => ({
      engine: { executable, version, knownFlags },
    })),
    keepModel: assign((_, { model: { id, path, bytes, shape = null } }: { model: ModelPresent }) => ({ model: { id, path, bytes, shape } })),
    askAdmission: enqueueActions(({ context, enqueue, self }, { inventory, needBytes }: { inventory: Inventory; needBytes: number | null }) => {
      if (self._parent)
        enqueue.sendTo(self._parent, {
          type: 'admission.requested',
          poolId: context.poolId,
          devices: context.spec.devices,
          tensorSplit: context.spec.tensor_split,
          needBytes,
          inventory,
        });
    }),
    keepAdmission: assign((_, { gpus, reservedBytes }: { gpus: readonly GpuRef[]; reservedBytes: number | null }) => ({
      gpus,
      gpuCause: null,
      reservedBytes,
    })),
    releaseReservation: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'reservation.released', poolId: context.poolId });
    }),

    // --- the engine's process
    keepRun: assign((_, { run }: { run: RunRecord }) => ({ run, proof: null, load: unknownLoad })),
    dropRun: assign(({ context }) => ({
      run: context.origin === 'attached' ? context.run : null,
      proof: null,
      load: unknownLoad,
      recorded: null,
      drain: null,
      survivors: [],
      reservedBytes: null,
    })),
    reportAdoption: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'adoption.settled', poolId: context.poolId });
    }),
    forgetRecorded: assign({ recorded: null }),
    recallDrain: assign(({ context, event }) => ({
      proof: context.recorded?.proof ?? null,
      drain: sooner(recalledDrain(context, stampOf(event)), context.wanted === 'down' ? context.drain : null),
      recorded: null,
    })),
    /** What is left of its grace, but time to be asked: the daemon that gave it was away. */
    grantProbes: assign(({ context: { drain } }) => ({ drain: drain && { ...drain, deadlineMs: Math.max(drain.deadlineMs, recalledGraceMs) } })),
    recallProof: assign(({ context }) => ({ proof: context.recorded?.proof ?? null, recorded: null })),
    keepProof: assign(
      ({ context }, { proof: { residency, evidence, slotsTotal, engineVersion, modelsAvailable, firstTokenMs } }: { proof: Proof }) => ({
        proof: { residency, evidence, slotsTotal, engineVersion, modelsAvailable, firstTokenMs },
        load: { ...context.load, slotsTotal: context.load.slotsTotal ?? slotsTotal },
        health: noProbes,
      }),
    ),

    // --- watching
    startWatching: enqueueActions(({ context, enqueue }, { pace }: { pace: ProbePace }) => {
      if (context.run === null) return;
      if (context.origin !== 'attached') enqueue.spawnChild('watchEngine', { id: 'engine', input: { run: context.run } });
      enqueue.spawnChild('probeHealth', { id: 'health', input: { run: context.run, pace } });
    }),
    stopWatching: enqueueActions(({ enqueue }) => {
      enqueue.stopChild('engine');
      enqueue.stopChild('health');
    }),
    pace: enqueueActions(({ enqueue, self }, { pace }: { pace: ProbePace }) => {
      if (self._parent) enqueue.sendTo('health', { type: 'probe.paced', pace });
    }),
    countPass: assign(({ context }) => ({ health: { ...noProbes, passes: context.health.passes + 1 } })),
    countFailure: assign(({ context }, { hostSuspected, cause: { code, message } }: { hostSuspected: boolean; cause: Cause }) => ({
      health: { failures: context.health.failures + 1, passes: 0, hostSuspected, failed: { code, message } },
    })),
    noteLeaving: assign(({ context, event }) => ({ leaving: noteLeaving(context.leaving, stampOf(event)?.mono ?? null) })),
    forgetProbes: assign({ health: noProbes }),
    keepLoad: assign((_, { load }: { load: Load }) => ({ load })),
    forgetInFlight: assign(({ context }) => ({ load: { ...context.load, inFlight: null } })),
    keepSample: assign(
      (_, { at, outcome, load, vramUsedBytes }: { at: number; outcome: ProbeOutcome; load: Load | null; vramUsedBytes: number | null }) => ({
        samples: { at, outcome, load, vramUsedBytes, progress: noProgress },
      }),
    ),
    keepProgress: assign(({ context }, { step, doneBytes, totalBytes, bytesPerSecond }: { step: 'engine' | 'model' } & Progress) => ({
      samples: { ...context.samples, progress: { ...context.samples.progress, [step]: { doneBytes, totalBytes, bytesPerSecond } } },
    })),
    forgetProgress: assign(({ context }) => ({ samples: { ...context.samples, progress: noProgress } })),

    // --- handoff files
    settleHandoff: enqueueActions(({ context, enqueue, self }, { handoff, outcome }: { handoff: Handoff; outcome: HandoffOutcome | 'judge' }) => {
      const judged = outcome === 'judge' ? outcomeOfHandoff(context.origin, context.run, handoff) : outcome;
      if (self._parent) enqueue.sendTo(self._parent, { type: 'handoff.settled', poolId: context.poolId, file: handoff.file, outcome: judged });
    }),
    attach: assign(({ context }, { handoff }: { handoff: Handoff }) => ({
      run: attachedRun(handoff, context.spec, context.specHash),
      proof: null,
      load: unknownLoad,
    })),

    // --- draining
    beginDrain: assign(({ context, event }, { why, deadlineMs }: { why: DrainWhy; deadlineMs: number | null }) => ({
      drain: drainOf(context, event, why, deadlineMs),
    })),
    /** For what stands against an engine that has just been made or identified; a deadline that was ordered meanwhile goes on. */
    turnBack: assign(({ context, event }, { deadlineMs }: { deadlineMs: number | null }) => {
      const why = turnsBackFor(context);
      return { drain: deadlineMs === null && context.drain?.why === why ? context.drain : drainOf(context, event, why, deadlineMs) };
    }),
    markForced: assign(({ context }) => ({ drain: context.drain && { ...context.drain, forced: true } })),
    endDrain: assign({ drain: null }),
    announceDrain: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'drain.announced', poolId: context.poolId });
    }),
    keepSurvivors: assign((_, { survivors }: { survivors: readonly number[] }) => ({ survivors })),
    /** What is still there has been blamed before. */
    requestQuarantine: enqueueActions(({ context: { poolId, run, lastError }, enqueue, self }) => {
      if (self._parent && run !== null && lastError !== null)
        enqueue.sendTo(self._parent, {
          type: 'quarantine.requested',
          poolId,
          gpus: run.gpus,
          cause: { code: lastError.code, message: lastError.message },
        });
    }),
    liftQuarantine: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'quarantine.lifted', poolId: context.poolId });
    }),

    // --- telling
    announce: enqueueActions(({ context, enqueue, self }, { state }: { state: PoolState }) => {
      if (self._parent) enqueue.sendTo(self._parent, changed(context, state));
    }),
    /** Only when the pool becomes full or stops being full: the node tells the control plane at once. */
    announceFullness: enqueueActions(({ context, enqueue, self }, { load }: { load: Load }) => {
      const now = { ...context, load };
      if (self._parent && (context.load.slotsFree === 0) !== (load.slotsFree === 0)) enqueue.sendTo(self._parent, changed(now, 'ready'));
    }),
    /** Only when the host comes to be suspected, or no longer is. */
    announceSuspicion: enqueueActions(({ context, enqueue, self }, { state, hostSuspected }: { state: PoolState; hostSuspected: boolean }) => {
      const now = { ...context, health: { ...context.health, hostSuspected } };
      if (self._parent && context.health.hostSuspected !== hostSuspected) enqueue.sendTo(self._parent, changed(now, state));
    }),
    /** A timer brings no time with it: what it ended is not counted into storms. */
    reportBackoff: enqueueActions(({ context, event, enqueue, self }) => {
      const mono = stampOf(event)?.mono;
      if (self._parent && mono !== undefined) enqueue.sendTo(self._parent, { type: 'pool.backedOff', poolId: context.poolId, mono });
    }),
    settleReload: enqueueActions(({ context: { poolId, reload }, event, enqueue, self }) => {
      if (reload === null) return;
      enqueue.assign({ reload: null });
      const { operationId, gaveUp } = reload;
      const outcome = gaveUp === null ? 'reloaded' : 'rolled_back';
      if (self._parent) enqueue.sendTo(self._parent, { type: 'reload.settled', poolId, operationId, outcome, cause: gaveUp, stamp: stampOf(event) });
    }),
    /** Of a reload that this engine was not touched for. */
    noteReload: assign(({ event }, { cause }: { cause: Cause }) => reloadFailed(event, cause)),
    giveUpReload: enqueueActions(({ context: { poolId, reload, reason }, event, enqueue, self }) => {
      if (reload === null) return;
      enqueue.assign({ reload: null });
      const cause = reload.gaveUp ?? (reason && causeOfBlame(reason));
      const { operationId } = reload;
      if (self._parent)
        enqueue.sendTo(self._parent, { type: 'reload.settled', poolId, operationId, outcome: 'given_up', cause, stamp: stampOf(event) });
    }),
    announceEnd: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'pool.ended', poolId: context.poolId });
    }),
    remember: enqueueActions(({ context, enqueue, self }, { phase }: { phase: PoolMemory['phase'] }) => {
      enqueue.assign({ phase });
      if (self._parent) enqueue.sendTo('memory', { type: 'memory.changed', memory: memoryOf({ ...context, phase }) });
    }),
    /** What was ordered must outlive the daemon, also where it changes no state. */
    saveMemory: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo('memory', { type: 'memory.changed', memory: memoryOf(context) });
    }),
  },
});
