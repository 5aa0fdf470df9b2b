/**
 * Everything a node does, as orders: assigns to its context, words to its pools, to registration and to its watchers.
 *
 * Pure. A pool is spoken to by the actor id in its roster entry; ids without an entry are passed over.
 */
import { assign, enqueueActions } from 'xstate';
import type { GpuNotice, GpuReport, PoolCommand, PoolEvent, PoolReport, RegistrationEvent, ReloadOutcome } from '../events.ts';
import { publicIdOf } from '../policies/berths.ts';
import { type GpuStanding, isUsable, matchUsable, unwell } from '../policies/gpu-standing.ts';
import { admit, release, reserve } from '../policies/ledger.ts';
import { afterLook, lifted, refusalOn } from '../policies/quarantine.ts';
import { addresseeOf, changesReadiness, type Declaration, isServing, movedTo, servingOf, withEntry } from '../policies/roster.ts';
import { noteRestart } from '../policies/storm.ts';
import { attachedSpec } from '../pool/attached.ts';
import type { PoolInput } from '../pool/context.ts';
import type { BootPool, Cause, GpuFinding, Handoff, HandoffOutcome, Inventory, PoolOrigin, Stamp, XidReport } from '../vocabulary.ts';
import type { RosterNote } from './actors.ts';
import { type Birth, birthOf } from './birth.ts';
import { struckBy, tellDevices, withCards } from './cards.ts';
import type { NodeContext } from './context.ts';
import { acknowledgeDrains, announceDrain, type Letter, notesOnEnd, toBlocked, toRegistration } from './letters.ts';
import { bear, change, keepDeclared, type Moves, noMoves, write } from './moves.ts';
import { commandMoves, fileMoves, raiseAll } from './orders.ts';
import { base } from './setup.ts';
import { declaredOrder, giveUpRising, orderReload, settleOrder, succeed, takeNext, takeUpDeclared, vacate } from './succession.ts';

const mostCrashes = 5;

/** An engine that runs holds its VRAM whatever the ledger would say now. */
const reserved = (ledger: NodeContext['ledger'], { input: { poolId, run } }: Birth): NodeContext['ledger'] =>
  run === null
    ? ledger
    : reserve(ledger, poolId, { bytes: run.reservedBytes, gpuUuids: run.gpus.map(({ uuid }) => uuid), tensorSplit: run.spec.tensor_split });

interface Enqueue {
  sendTo(to: string, event: Letter[1]): void;
}

const deliver = (enqueue: Enqueue, letters: readonly Letter[]): void => {
  for (const [to, event] of letters) enqueue.sendTo(to, event);
};

type Spawn = (name: 'pool', options: { readonly id: string; readonly input: PoolInput }) => unknown;

interface Mover {
  assign(changes: (args: { readonly spawn: Spawn }) => Pick<NodeContext, 'roster' | 'spawned'>): void;
  sendTo(to: string, event: PoolEvent | RosterNote): void;
}

/** Born within one assign: each of as many `spawnChild` would copy the table of children. */
const perform = (enqueue: Mover, { roster, spawned, births, letters, notes }: Moves): void => {
  enqueue.assign(({ spawn }) => {
    for (const { entry, input } of births) spawn('pool', { id: entry.actorId, input });
    return { roster, spawned };
  });
  for (const [to, event] of letters) enqueue.sendTo(to, event);
  for (const note of notes) enqueue.sendTo('roster', note);
};

export const node = base.extend({
  actions: {
    // --- pools come and go
    raisePools: enqueueActions(({ context, enqueue }, { pools, at, mono }: Stamp & { pools: readonly BootPool[] }) => {
      const { births, empty } = raiseAll(pools, context);
      let moves = bear(noMoves(context), ...births);
      for (const berth of empty) moves = vacate(moves, context, berth);
      // An order that came about, of which only that was not written any more.
      for (const { poolId, former } of pools) if (former !== null && moves.roster[poolId]?.former === null) moves = keepDeclared(moves, poolId);
      const reloads = births.flatMap(({ entry: { poolId: berth, declared }, input: { spec, specHash, memory } }) => {
        if (declared === null || declared.specHash === specHash) return [];
        const previous = (memory?.proof ?? null) === null ? {} : { previous: { spec, specHash } };
        return [{ berth, order: { ...declaredOrder(declared, { at, mono }), ...previous } }];
      });
      for (const { berth, order } of reloads) {
        const entry = moves.roster[berth];
        if (entry !== undefined) moves = orderReload(moves, context, entry, order);
      }
      // What broke and is recalled.
      for (const { poolId } of pools) {
        const before = context.roster[poolId];
        if (before !== undefined) enqueue.stopChild(before.actorId);
      }
      if (context.stopping === 'drain') for (const { entry } of births) moves = write(moves, entry, { type: 'pool.shutDown', at, mono });
      enqueue.assign({ ledger: births.reduce(reserved, context.ledger) });
      perform(enqueue, moves);
    }),
    dismissPool: enqueueActions(({ context, enqueue }, { poolId: berth }: { poolId: string }) => {
      const entry = context.roster[berth];
      if (entry === undefined) return;
      enqueue.stopChild(entry.actorId);
      enqueue.assign({ ledger: release(context.ledger, berth) });
      for (const note of notesOnEnd(entry)) enqueue.sendTo('roster', note);
      perform(enqueue, vacate(noMoves(context), context, berth));
    }),
    /**
     * Its record and memory are read again, so that its engine is adopted by the next actor. Until then it stays a child, since it is still
     * written to.
     */
    recallPool: enqueueActions(({ context, enqueue }, { actorId, message }: { actorId: string; message: string }) => {
      const broken = Object.values(context.roster).find((one) => one.actorId === actorId);
      if (broken === undefined) return;
      const { poolId } = broken;
      const crashes = broken.crashes + 1;
      const trouble: Cause = {
        code: 'driver_error',
        message: `the actor of ${poolId} broke (${crashes}): ${message}; this is a bug of pool-managerd`,
      };
      enqueue.assign({ troubles: [...context.troubles, trouble].slice(-16) });
      const moves = giveUpRising(change(noMoves(context), poolId, { crashes }), context, poolId, trouble, null);
      perform(enqueue, moves);
      const { origin, overrides, former, handoff, leaving, ...entry } = moves.roster[poolId] ?? broken;
      // One that was on its way out is an orphan to the next actor, which goes on with that.
      const declared = leaving ? null : entry.declared;
      if (crashes > mostCrashes) return;
      enqueue.spawnChild('recallPool', {
        id: `recall-${actorId}`,
        input: { poolId, origin, spec: declared?.spec ?? null, specHash: declared?.specHash ?? null, overrides, former, handoff },
      });
    }),
    commandPool: enqueueActions(({ context, enqueue }, { poolId, command }: { poolId: string; command: PoolCommand }) => {
      const entry = servingOf(context.roster, poolId);
      if (entry !== null) perform(enqueue, commandMoves(noMoves(context), context, entry, command));
    }),
    followFile: enqueueActions(({ context, enqueue }, { pools, at, mono }: Stamp & { pools: readonly Declaration[] }) => {
      perform(enqueue, fileMoves(noMoves(context), context, pools, { at, mono }));
      enqueue.assign({ fileMistakes: null });
    }),
    succeed: enqueueActions(({ context, enqueue }, { poolId, stamp }: { poolId: string; stamp: Stamp | null }) =>
      perform(enqueue, succeed(noMoves(context), poolId, stamp)),
    ),
    giveUpRising: enqueueActions(({ context, enqueue }, { poolId, cause, stamp }: { poolId: string; cause: Cause | null; stamp: Stamp | null }) =>
      perform(enqueue, giveUpRising(noMoves(context), context, poolId, cause, stamp)),
    ),
    takeUpDeclared: enqueueActions(({ context, enqueue }, { poolId, stamp }: { poolId: string; stamp: Stamp }) =>
      perform(enqueue, takeUpDeclared(noMoves(context), context, poolId, stamp)),
    ),
    settleOrder: enqueueActions(({ context, enqueue }, { poolId, outcome }: { poolId: string; outcome: ReloadOutcome }) =>
      perform(enqueue, settleOrder(noMoves(context), poolId, outcome)),
    ),
    keepFileMistakes: assign((_, { mistakes }: { mistakes: readonly string[] }) => ({ fileMistakes: mistakes })),
    noteTroubles: assign(({ context }, { causes }: { causes: readonly Cause[] }) => ({ troubles: [...context.troubles, ...causes].slice(-16) })),

    // --- what pools report
    keepReport: enqueueActions(({ context, enqueue }, { poolId, ...report }: Omit<Extract<PoolReport, { type: 'pool.changed' }>, 'type'>) => {
      const entry = context.roster[poolId];
      if (entry === undefined) return;
      const { state, live, ready, draining, slotsFree, slotsTotal, hostSuspected, restarts, specHash } = report;
      const kept = { state, live, ready, draining, slotsFree, slotsTotal, hostSuspected, restarts, specHash };
      const moves = change(noMoves(context), poolId, { report: kept, ...movedTo(entry, report.devices) });
      perform(enqueue, isServing(entry) ? takeNext(moves, context, publicIdOf(poolId)) : moves);
      // What it holds of its cards has changed.
      if (entry.report?.state !== state && (state === 'ready' || state === 'offline')) enqueue.sendTo('gpus', { type: 'gpus.look' });
      if (isServing(entry) && changesReadiness(entry.report, kept)) deliver(enqueue, toRegistration(context, { type: 'readiness.changed' }));
    }),
    keepAdopted: assign(({ context }, { poolId }: { poolId: string }) => ({ roster: withEntry(context.roster, poolId, { adopting: false }) })),
    judgeAdmission: enqueueActions(({ context, enqueue }, request: Omit<Extract<PoolReport, { type: 'admission.requested' }>, 'type'>) => {
      const { poolId, devices, needBytes, tensorSplit, inventory } = request;
      const entry = context.roster[poolId];
      if (entry === undefined) return;
      const same = JSON.stringify(devices) === JSON.stringify(entry.devices);
      const pinned = same ? entry.pinned : null;
      const { at, mono } = inventory;
      const answer = (event: PoolEvent): void => enqueue.sendTo(entry.actorId, event);
      const match = matchUsable({ devices, pinned }, inventory, context);
      if (!match.matched) return answer({ type: 'admission.refused', cause: match.cause, at, mono });
      const quarantines = afterLook(context.quarantines, inventory);
      enqueue.assign({ roster: withEntry(context.roster, poolId, { devices, pinned: match.gpus, told: 'matched', lacks: null }), quarantines });
      const refusal = refusalOn(quarantines, match.gpus);
      if (refusal !== null) return answer({ type: 'admission.refused', cause: refusal, at, mono });
      const admission = admit(context.ledger, { poolId, needBytes, gpus: match.gpus, inventory, tensorSplit });
      if (!admission.granted) return answer({ type: 'admission.refused', cause: admission.cause, at, mono });
      enqueue.assign({ ledger: admission.ledger });
      answer({ type: 'admission.granted', gpus: match.gpus, reservedBytes: needBytes, at, mono });
    }),
    releaseReservation: enqueueActions(({ context, enqueue }, { poolId }: { poolId: string }) => {
      if (context.ledger.reservations[poolId] === undefined) return;
      enqueue.assign({ ledger: release(context.ledger, poolId) });
      deliver(enqueue, toBlocked(context));
    }),
    quarantine: assign(({ context }, { poolId, gpus, cause }: Omit<Extract<PoolReport, { type: 'quarantine.requested' }>, 'type'>) => ({
      quarantines: { ...context.quarantines, [poolId]: { poolId, gpus, cause } },
    })),
    liftQuarantine: enqueueActions(({ context, enqueue }, { poolId }: { poolId: string }) => {
      enqueue.assign({ quarantines: lifted(context.quarantines, poolId) });
      deliver(enqueue, toBlocked(context));
    }),
    noteRestart: assign(({ context }, { mono }: { mono: number }) => ({ restartsMono: noteRestart(context.restartsMono, mono) })),

    // --- GPUs
    takeInventory: enqueueActions(({ context, enqueue }, { inventory, at, mono }: Stamp & { inventory: Inventory }) => {
      const { gpus, born } = withCards(context.gpus, inventory, { at, mono });
      for (const uuid of born) enqueue.spawnChild('gpu', { id: uuid, input: { uuid, at, mono } });
      const told = tellDevices({ ...context, gpus }, inventory, { at, mono });
      for (const [actorId, event] of told.letters) enqueue.sendTo(actorId, event);
      const quarantines = afterLook(context.quarantines, inventory);
      enqueue.assign({ roster: told.roster, gpus, inventory, gpuCause: null, quarantines, samples: { inventory } });
      deliver(enqueue, [...toBlocked(context), ...toRegistration(context, { type: 'roster.changed' })]);
    }),
    passCheck: enqueueActions(
      ({ context, enqueue }, { uuid, finding, begunMono, at, mono }: Stamp & { uuid: string; finding: GpuFinding; begunMono: number }) => {
        if (context.gpus[uuid] !== undefined) enqueue.sendTo(uuid, { type: 'gpu.checked', finding, begunMono, at, mono } satisfies GpuNotice);
      },
    ),
    passXid: enqueueActions(({ context, enqueue }, { report, at, mono }: Stamp & { report: XidReport }) => {
      const card = Object.values(context.gpus).find(({ pciAddress }) => pciAddress === report.pciAddress);
      if (card !== undefined) enqueue.sendTo(card.uuid, { type: 'gpu.xid', report, at, mono } satisfies GpuNotice);
    }),
    keepStanding: enqueueActions(({ context, enqueue }, { standing }: { standing: GpuStanding }) => {
      const before = context.gpus[standing.uuid];
      if (before === undefined) return;
      const gpus = { ...context.gpus, [standing.uuid]: { ...before, ...standing } };
      const told =
        context.inventory === null ? { roster: context.roster, letters: [] } : tellDevices({ ...context, gpus }, context.inventory, standing.stamp);
      for (const [actorId, event] of told.letters) enqueue.sendTo(actorId, event);
      enqueue.assign({ gpus, roster: told.roster });
      enqueue.sendTo('gpus', { type: 'gpus.attend', uuids: unwell(gpus) });
      if (!isUsable(before.health) && isUsable(standing.health)) deliver(enqueue, toBlocked(context));
    }),
    passFault: enqueueActions(({ context, enqueue }, { uuid, report, cause, stamp }: Omit<Extract<GpuReport, { type: 'gpu.faulted' }>, 'type'>) => {
      for (const actorId of struckBy(context, uuid, report)) enqueue.sendTo(actorId, { type: 'engine.faulted', cause, ...stamp } satisfies PoolEvent);
    }),
    look: enqueueActions(({ enqueue }) => enqueue.sendTo('gpus', { type: 'gpus.look' })),
    keepKernelCause: assign((_, { cause }: { cause: Cause | null }) => ({ kernelCause: cause })),
    keepSample: assign((_, { inventory }: { inventory: Inventory }) => ({ samples: { inventory } })),
    goBlind: assign((_, { cause }: { cause: Cause }) => ({ gpuCause: cause })),

    // --- handoff files
    passHandoff: enqueueActions(({ context, enqueue }, { handoff, at, mono }: Stamp & { handoff: Handoff }) => {
      const entry = addresseeOf(context.roster, handoff);
      if (entry === null) return;
      enqueue.sendTo(entry.actorId, { type: 'handoff.appeared', handoff, at, mono } satisfies PoolEvent);
      if (entry.origin !== 'attached' || !handoff.ready) return;
      enqueue.assign({ roster: withEntry(context.roster, entry.poolId, { handoff }) });
      enqueue.sendTo('roster', { type: 'pool.attached', handoff });
    }),
    /** A file with an incarnation is ours, of a pool that is gone: nobody else's engine hides behind it. */
    adoptStranger: enqueueActions(({ context, enqueue, self }, { handoff }: { handoff: Handoff }) => {
      const { file, poolId } = handoff;
      // By way of an event, as a pool does it: what became of a file is seen there.
      const settle = (outcome: HandoffOutcome): void => enqueue.sendTo(self, { type: 'handoff.settled', poolId, file, outcome } satisfies PoolReport);
      if (handoff.incarnation !== null) return settle('stale');
      if (!handoff.ready) return settle('not_ready');
      // The last engine of a pool that is gone has not ended yet.
      if (context.roster[poolId] !== undefined) return settle('ignored');
      const spec = attachedSpec(handoff);
      const origin: PoolOrigin = 'attached';
      const pool = { poolId: handoff.poolId, origin, spec, specHash: 'attached', overrides: null, former: null, run: null, memory: null, handoff };
      const birth = birthOf(pool, context.spawned + 1, context.inventory);
      if (birth === null) return;
      enqueue.assign({ roster: { ...context.roster, [handoff.poolId]: birth.entry }, spawned: context.spawned + 1 });
      enqueue.spawnChild('pool', { id: birth.entry.actorId, input: birth.input });
      enqueue.sendTo('roster', { type: 'pool.attached', handoff });
      settle('attached');
    }),
    settleHandoff: enqueueActions(({ enqueue }, { file, outcome }: { file: string; outcome: HandoffOutcome }) => {
      enqueue.sendTo('handoffs', { type: 'handoff.settled', file, outcome });
    }),

    watchHandoffs: enqueueActions(({ enqueue }) => {
      enqueue.spawnChild('watchHandoffs', { id: 'handoffs', input: {} });
    }),

    // --- the control plane
    startRegistration: enqueueActions(({ context, enqueue }) => {
      enqueue.spawnChild('registration', { id: 'registration', input: context.registration });
      enqueue.assign({ registrationRuns: true });
    }),
    tellRegistration: enqueueActions(({ context, enqueue }, { event }: { event: RegistrationEvent }) =>
      deliver(enqueue, toRegistration(context, event)),
    ),
    announceDrain: enqueueActions(({ context, enqueue }, { poolId }: { poolId: string }) => deliver(enqueue, announceDrain(context, poolId))),
    passAcknowledgement: enqueueActions(({ context, enqueue }, { draining }: { draining: readonly string[] }) =>
      deliver(enqueue, acknowledgeDrains(context, draining)),
    ),

    // --- the end
    keepStopping: assign((_, { mode }: { mode: 'keep' | 'drain' }) => ({ stopping: mode })),
    shutDownPools: enqueueActions(({ context, enqueue }, { at, mono }: Stamp) => {
      for (const { actorId } of Object.values(context.roster)) enqueue.sendTo(actorId, { type: 'pool.shutDown', at, mono } satisfies PoolCommand);
    }),
  },
});
