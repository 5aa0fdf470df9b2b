/**
 * Everything a pool does, as orders: assigns to its context, words to its children and to its node.
 *
 * Pure: what leaves the machine is a message or a named actor. Words to node and children are guarded, since a pool folded
 * from a journal has neither.
 */
import { assign, enqueueActions } from 'xstate';
import { judgeHandoff } from '../policies/handoff.ts';
import { closeBreaker, freshRestart, noteFailure, noteStable, noteStart } from '../policies/restart.ts';
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
  PoolState,
  ProbeOutcome,
  Proof,
  RunRecord,
} from '../vocabulary.ts';
import type { ProbePace } from './actors.ts';
import { attachedRun } from './attached.ts';
import { type Drain, type PoolContext, unknownLoad } from './context.ts';
import { stampOf } from './failure.ts';
import { memoryOf } from './memory.ts';
import { changed } from './reports.ts';
import { base } from './setup.ts';

const blamed = (cause: Cause, event: unknown) => ({ ...cause, at: stampOf(event)?.at ?? null });

/** The recorded drain goes on with what is left of its deadline; the boot is the same, since the engine still runs. */
const recalled = ({ recorded, spec }: PoolContext, mono: number | null): Drain | null => {
  const drain = recorded?.drain ?? null;
  if (drain === null) return null;
  const leftMs = drain.deadlineMono === null || mono === null ? spec.timeouts.drain_ms : Math.max(0, drain.deadlineMono - mono);
  return { why: drain.why, deadlineMs: leftMs, startedMono: mono, forced: false };
};

export const pool = base.extend({
  actions: {
    // --- what is wanted
    wantUp: assign({ wanted: 'up', restart: ({ context }) => ({ ...freshRestart, count: context.restart.count }) }),
    wantDown: assign(({ event }) => ({ wanted: 'down' as const, reason: blamed({ code: 'operator', message: 'stopped by an operator' }, event) })),
    markForRemoval: assign(({ event }) => ({
      removing: true,
      wanted: 'down' as const,
      reason: blamed({ code: 'removed', message: 'the pool is being removed' }, event),
    })),
    markForShutDown: assign({ shuttingDown: true }),
    takeUpSpec: assign(({ context, event }) => {
      if (event.type !== 'pool.reload') return {};
      const running = context.proof === null ? null : { spec: context.spec, specHash: context.specHash };
      return {
        wanted: 'up' as const,
        nextSpec: { spec: event.spec, specHash: event.specHash },
        reload: { operationId: event.operationId, previous: context.reload?.previous ?? running, gaveUp: null },
        restart: { ...freshRestart, count: context.restart.count },
      };
    }),
    switchSpec: assign(({ context }) =>
      context.nextSpec === null ? { reason: null } : { ...context.nextSpec, nextSpec: null, engine: null, model: null, reason: null },
    ),
    rollBack: assign(({ context: { reload, reason } }) =>
      reload === null || reload.previous === null || reason === null
        ? {}
        : {
            ...reload.previous,
            engine: null,
            model: null,
            reason: null,
            reload: { ...reload, gaveUp: { code: reason.code, message: reason.message } },
          },
    ),

    // --- why it is where it is
    blame: assign(({ event }, { cause }: { cause: Cause }) => ({ reason: blamed(cause, event), lastError: blamed(cause, event) })),
    /** A reason that is no error. */
    giveReason: assign(({ event }, { cause }: { cause: Cause }) => ({ reason: blamed(cause, event) })),
    /** An engine that ends while it is being drained: an error, but the order stays the reason. */
    blameExit: assign(({ context, event }, { cause }: { cause: Cause }) => ({
      lastError: blamed(cause, event),
      ...(context.wanted === 'up' && context.nextSpec === null && !context.shuttingDown && { reason: blamed(cause, event) }),
    })),
    blameSurvivors: assign(({ event }, { survivors }: { survivors: readonly number[] }) => {
      const cause = {
        code: 'unkillable' as const,
        message: `processes ${survivors.join(', ')} did not end after KILL; the driver may be hung and the machine may need a reboot`,
      };
      return { reason: blamed(cause, event), lastError: blamed(cause, event) };
    }),
    blameHeldVram: assign(({ context, event }, { heldBytes }: { heldBytes: number | null }) => {
      const held = heldBytes === null ? 'memory' : `${heldBytes} bytes`;
      const message = `${held} of VRAM still held ${context.spec.timeouts.vram_release_ms} ms after the engine ended; see which process holds it with nvidia-smi`;
      return { reason: blamed({ code: 'vram_not_released', message }, event), lastError: blamed({ code: 'vram_not_released', message }, event) };
    }),
    blameGpus: assign(({ context, event }) =>
      context.gpuCause === null ? {} : { reason: blamed(context.gpuCause, event), lastError: blamed(context.gpuCause, event) },
    ),
    clearReason: assign({ reason: null, retry: null }),
    scheduleRetry: assign(({ context, event }) => {
      const code = context.reason?.code ?? 'engine_exited';
      const now = stampOf(event);
      const backoff = noteFailure(context.restart, context.spec.restart, code, now?.mono ?? 0, context.poolId);
      const crashLoop = {
        code: 'crash_loop' as const,
        message: `${context.spec.restart.max_restarts} starts within ${context.spec.restart.window_ms} ms; last: ${context.reason?.message ?? code}`,
      };
      return {
        restart: backoff.memory,
        retry: { delayMs: backoff.delayMs, at: now === null ? null : now.at + backoff.delayMs },
        ...(backoff.crashLoop && { reason: blamed(crashLoop, event) }),
      };
    }),
    noteStable: assign(({ context }) => ({ restart: noteStable(context.restart) })),
    closeBreaker: assign(({ context }) => ({ restart: closeBreaker(context.restart) })),
    noteMemoryFailure: assign((_, { cause }: { cause: Cause }) => ({ memoryFailed: cause })),
    clearMemoryFailure: assign({ memoryFailed: null }),

    // --- GPUs, engine, model
    keepGpus: assign((_, { gpus }: { gpus: readonly GpuRef[] }) => ({ gpus, gpuCause: null })),
    loseGpus: assign((_, { cause }: { cause: Cause }) => ({ gpus: null, gpuCause: cause })),
    keepEngine: assign((_, { engine }: { engine: EnginePresent }) => ({ engine })),
    keepModel: assign((_, { model }: { model: ModelPresent }) => ({ model })),
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
    reportAdoption: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'adoption.settled', poolId: context.poolId });
    }),
    keepAdmission: assign((_, { gpus, reservedBytes }: { gpus: readonly GpuRef[]; reservedBytes: number | null }) => ({
      gpus,
      gpuCause: null,
      reservedBytes,
    })),
    releaseReservation: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'reservation.released', poolId: context.poolId });
    }),
    keepRun: assign(({ context }, { run, mono }: { run: RunRecord; mono: number }) => ({
      run,
      restart: noteStart(context.restart, context.spec.restart, mono),
      proof: null,
      load: unknownLoad,
    })),
    dropRun: assign(({ context }) => ({
      run: context.origin === 'attached' ? context.run : null,
      proof: null,
      load: unknownLoad,
      recorded: null,
      drain: null,
      survivors: [],
      reservedBytes: null,
    })),
    forgetRecorded: assign({ recorded: null }),
    recallDrain: assign(({ context, event }) => ({
      proof: context.recorded?.proof ?? null,
      drain: recalled(context, stampOf(event)?.mono ?? null),
      recorded: null,
    })),
    recallProof: assign(({ context }) => ({ proof: context.recorded?.proof ?? null, recorded: null })),
    keepProof: assign(({ context }, { proof }: { proof: Proof }) => ({
      proof,
      recorded: null,
      load: { ...context.load, slotsTotal: context.load.slotsTotal ?? proof.slotsTotal },
      health: { failures: 0, passes: 0 },
    })),

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
    countPass: assign(({ context }) => ({ health: { failures: 0, passes: context.health.passes + 1 } })),
    countFailure: assign(({ context }) => ({ health: { failures: context.health.failures + 1, passes: 0 } })),
    forgetProbes: assign({ health: { failures: 0, passes: 0 } }),
    keepLoad: assign((_, { load }: { load: Load }) => ({ load })),
    forgetInFlight: assign(({ context }) => ({ load: { ...context.load, inFlight: null } })),
    keepSample: assign(
      (_, { at, outcome, load, vramUsedBytes }: { at: number; outcome: ProbeOutcome; load: Load | null; vramUsedBytes: number | null }) => ({
        samples: { at, outcome, load, vramUsedBytes, progress: null },
      }),
    ),
    keepProgress: assign(({ context }, progress: { step: 'engine' | 'model'; doneBytes: number | null; totalBytes: number | null }) => ({
      samples: { ...context.samples, progress },
    })),

    // --- handoff files
    settleHandoff: enqueueActions(({ context, enqueue, self }, { handoff, outcome }: { handoff: Handoff; outcome: HandoffOutcome | 'judge' }) => {
      const judged = outcome === 'judge' ? (judgeHandoff(context.run, handoff) === 'stale' ? 'stale' : 'ignored') : outcome;
      if (self._parent) enqueue.sendTo(self._parent, { type: 'handoff.settled', poolId: context.poolId, file: handoff.file, outcome: judged });
    }),
    attach: assign(({ context }, { handoff }: { handoff: Handoff }) => ({
      run: attachedRun(handoff, context.spec, context.specHash),
      load: unknownLoad,
    })),

    // --- draining
    beginDrain: assign(({ context, event }, { why, deadlineMs }: { why: DrainWhy; deadlineMs: number | null }) => ({
      drain: { why, deadlineMs: deadlineMs ?? context.spec.timeouts.drain_ms, startedMono: stampOf(event)?.mono ?? null, forced: false },
    })),
    markForced: assign(({ context }) => ({ drain: context.drain && { ...context.drain, forced: true } })),
    endDrain: assign({ drain: null }),
    announceDrain: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'drain.announced', poolId: context.poolId });
    }),
    keepSurvivors: assign((_, { survivors }: { survivors: readonly number[] }) => ({ survivors })),

    // --- telling
    announce: enqueueActions(({ context, enqueue, self }, { state }: { state: PoolState }) => {
      if (self._parent) enqueue.sendTo(self._parent, changed(context, state));
    }),
    /** Only when the pool becomes full or stops being full: the node tells the control plane at once. */
    announceFullness: enqueueActions(({ context, enqueue, self }, { load }: { load: Load }) => {
      const now = { ...context, load };
      if (self._parent && (context.load.slotsFree === 0) !== (load.slotsFree === 0)) enqueue.sendTo(self._parent, changed(now, 'ready'));
    }),
    reportBackoff: enqueueActions(({ context, event, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'pool.backedOff', poolId: context.poolId, mono: stampOf(event)?.mono ?? 0 });
    }),
    settleReload: enqueueActions(({ context, enqueue, self }) => {
      const { reload } = context;
      if (reload === null) return;
      enqueue.assign({ reload: null });
      const outcome = reload.gaveUp === null ? ('reloaded' as const) : ('rolled_back' as const);
      if (self._parent)
        enqueue.sendTo(self._parent, {
          type: 'reload.settled',
          poolId: context.poolId,
          operationId: reload.operationId,
          outcome,
          cause: reload.gaveUp,
        });
    }),
    announceEnd: enqueueActions(({ context, enqueue, self }) => {
      if (self._parent) enqueue.sendTo(self._parent, { type: 'pool.ended', poolId: context.poolId });
    }),
    remember: enqueueActions(({ context, enqueue, self }, { phase }: { phase: PoolMemory['phase'] }) => {
      if (self._parent) enqueue.sendTo('memory', { type: 'memory.changed', memory: memoryOf(context, phase) });
    }),
  },
});
