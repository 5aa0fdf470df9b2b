/**
 * Everything a node does, as orders: assigns to its context, words to its pools, to registration and to its watchers.
 *
 * Pure. A pool is spoken to by the actor id in its roster entry; ids without an entry are passed over.
 */
import { assign, enqueueActions } from 'xstate';
import type { PoolCommand, PoolEvent, PoolReport, RegistrationEvent } from '../events.ts';
import { admit, release, reserve } from '../policies/ledger.ts';
import { afterLook, lifted, refusalOn } from '../policies/quarantine.ts';
import { changesReadiness, diffRoster, matchEntry, type Roster, withEntry, withoutEntry } from '../policies/roster.ts';
import { noteRestart } from '../policies/storm.ts';
import { attachedSpec } from '../pool/attached.ts';
import type { BootPool, Cause, Handoff, HandoffOutcome, Inventory, PoolOrigin, PoolSpec, Stamp } from '../vocabulary.ts';
import { birthOf } from './birth.ts';
import type { NodeContext } from './context.ts';
import { acknowledgeDrains, announceDrain, type Letter, toBlocked, toRegistration } from './letters.ts';
import { base } from './setup.ts';

const mostCrashes = 5;

/** An engine that runs holds its VRAM whatever the ledger would say now. */
const reserved = (ledger: NodeContext['ledger'], { poolId, run }: BootPool): NodeContext['ledger'] =>
  run === null
    ? ledger
    : reserve(ledger, poolId, { bytes: run.reservedBytes, gpuUuids: run.gpus.map(({ uuid }) => uuid), tensorSplit: run.spec.tensor_split });

interface Enqueue {
  sendTo(to: string, event: Letter[1]): void;
}

const deliver = (enqueue: Enqueue, letters: readonly Letter[]): void => {
  for (const [to, event] of letters) enqueue.sendTo(to, event);
};

export const node = base.extend({
  actions: {
    // --- pools come and go
    raisePools: enqueueActions(({ context, enqueue }, { pools, at, mono }: Stamp & { pools: readonly BootPool[] }) => {
      let { roster, spawned, ledger } = context;
      const reloads: { readonly actorId: string; readonly spec: PoolSpec; readonly specHash: string }[] = [];
      for (const pool of pools) {
        const birth = birthOf(pool, spawned + 1, context.inventory, context.roster[pool.poolId]?.crashes ?? 0);
        if (birth === null) continue;
        const { entry, input } = birth;
        spawned += 1;
        roster = { ...roster, [entry.poolId]: entry };
        ledger = reserved(ledger, pool);
        enqueue.spawnChild('pool', { id: entry.actorId, input });
        if (entry.declared !== null && entry.declared.specHash !== input.specHash) reloads.push({ actorId: entry.actorId, ...entry.declared });
      }
      enqueue.assign({ roster, spawned, ledger });
      for (const { actorId, spec, specHash } of reloads)
        enqueue.sendTo(actorId, { type: 'pool.reload', spec, specHash, operationId: `declared-${specHash}`, at, mono } satisfies PoolCommand);
    }),
    dismissPool: enqueueActions(({ context, enqueue }, { poolId }: { poolId: string }) => {
      const entry = context.roster[poolId];
      if (entry === undefined) return;
      enqueue.stopChild(entry.actorId);
      enqueue.assign({ roster: withoutEntry(context.roster, poolId), ledger: release(context.ledger, poolId) });
      enqueue.sendTo('roster', { type: 'pool.forgotten', poolId });
      if (entry.successor === null) return;
      const birth = birthOf(
        { poolId, origin: 'file', ...entry.successor, run: null, memory: null, handoff: null },
        context.spawned + 1,
        context.inventory,
        0,
      );
      if (birth === null) return;
      enqueue.assign({ roster: { ...withoutEntry(context.roster, poolId), [poolId]: birth.entry }, spawned: context.spawned + 1 });
      enqueue.spawnChild('pool', { id: birth.entry.actorId, input: birth.input });
    }),
    /** Its record and memory are read again, so that its engine is adopted by the next actor. */
    recallPool: enqueueActions(({ context, enqueue }, { actorId, message }: { actorId: string; message: string }) => {
      const entry = Object.values(context.roster).find((one) => one.actorId === actorId);
      if (entry === undefined) return;
      enqueue.stopChild(actorId);
      const crashes = entry.crashes + 1;
      const trouble: Cause = {
        code: 'driver_error',
        message: `the actor of ${entry.poolId} broke (${crashes}): ${message}; this is a bug of pool-managerd`,
      };
      enqueue.assign({ roster: withEntry(context.roster, entry.poolId, { crashes }), troubles: [...context.troubles, trouble].slice(-16) });
      if (crashes > mostCrashes) return;
      const { poolId, origin, declared, handoff } = entry;
      enqueue.spawnChild('recallPool', {
        id: `recall-${actorId}`,
        input: { poolId, origin, spec: declared?.spec ?? null, specHash: declared?.specHash ?? null, handoff },
      });
    }),
    commandPool: enqueueActions(({ context, enqueue }, { poolId, command }: { poolId: string; command: PoolCommand }) => {
      const entry = context.roster[poolId];
      if (entry === undefined) return;
      enqueue.sendTo(entry.actorId, command);
      if (command.type === 'pool.reload')
        enqueue.assign({ roster: withEntry(context.roster, poolId, { declared: { spec: command.spec, specHash: command.specHash } }) });
      if (command.type === 'pool.remove') enqueue.assign({ roster: withEntry(context.roster, poolId, { leaving: true, successor: null }) });
    }),
    followFile: enqueueActions(({ context, enqueue }, { pools, at, mono }: Stamp & { pools: readonly { spec: PoolSpec; specHash: string }[] }) => {
      const { added, changed, adjusted, removed } = diffRoster(context.roster, pools);
      let roster: Roster = context.roster;
      let { spawned } = context;
      for (const poolId of removed) {
        enqueue.sendTo(roster[poolId]?.actorId ?? '', { type: 'pool.remove', at, mono } satisfies PoolCommand);
        roster = withEntry(roster, poolId, { leaving: true, successor: null });
      }
      for (const declared of changed) {
        const command: PoolCommand = { type: 'pool.reload', ...declared, operationId: `file-${declared.specHash}`, at, mono };
        enqueue.sendTo(roster[declared.spec.id]?.actorId ?? '', command);
        roster = withEntry(roster, declared.spec.id, { declared });
      }
      for (const declared of adjusted) {
        enqueue.sendTo(roster[declared.spec.id]?.actorId ?? '', { type: 'spec.adjusted', spec: declared.spec, at, mono } satisfies PoolEvent);
        roster = withEntry(roster, declared.spec.id, { declared });
      }
      for (const declared of added) {
        const poolId = declared.spec.id;
        if (roster[poolId] !== undefined) {
          roster = withEntry(roster, poolId, { successor: declared });
          continue;
        }
        const birth = birthOf({ poolId, origin: 'file', ...declared, run: null, memory: null, handoff: null }, spawned + 1, context.inventory, 0);
        if (birth === null) continue;
        spawned += 1;
        roster = { ...roster, [poolId]: birth.entry };
        enqueue.spawnChild('pool', { id: birth.entry.actorId, input: birth.input });
      }
      enqueue.assign({ roster, spawned, fileMistakes: null });
    }),
    keepFileMistakes: assign((_, { mistakes }: { mistakes: readonly string[] }) => ({ fileMistakes: mistakes })),
    noteTroubles: assign(({ context }, { causes }: { causes: readonly Cause[] }) => ({ troubles: [...context.troubles, ...causes].slice(-16) })),

    // --- what pools report
    keepReport: enqueueActions(({ context, enqueue }, { poolId, ...report }: Omit<Extract<PoolReport, { type: 'pool.changed' }>, 'type'>) => {
      const entry = context.roster[poolId];
      if (entry === undefined) return;
      const { state, live, ready, draining, slotsFree, slotsTotal, hostSuspected } = report;
      const kept = { state, live, ready, draining, slotsFree, slotsTotal, hostSuspected };
      enqueue.assign({ roster: withEntry(context.roster, poolId, { report: kept }) });
      // What it holds of its cards has changed.
      if (entry.report?.state !== state && (state === 'ready' || state === 'offline')) enqueue.sendTo('gpus', { type: 'gpus.look' });
      if (changesReadiness(entry.report, kept)) deliver(enqueue, toRegistration(context, { type: 'readiness.changed' }));
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
      const match = matchEntry({ devices, pinned }, inventory);
      if (!match.matched) return answer({ type: 'admission.refused', cause: match.cause, at, mono });
      const quarantines = afterLook(context.quarantines, inventory);
      enqueue.assign({ roster: withEntry(context.roster, poolId, { devices, pinned: match.gpus, told: 'matched' }), quarantines });
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
      let { roster } = context;
      for (const entry of Object.values(context.roster)) {
        if (entry.origin === 'attached') continue;
        const match = matchEntry(entry, inventory);
        const told = match.matched ? 'matched' : 'unmatched';
        if (told === entry.told) continue;
        roster = withEntry(roster, entry.poolId, { told, ...(match.matched && { pinned: match.gpus }) });
        const event: PoolEvent = match.matched
          ? { type: 'gpus.matched', gpus: match.gpus, at, mono }
          : { type: 'gpus.unmatched', cause: match.cause, at, mono };
        enqueue.sendTo(entry.actorId, event);
      }
      const quarantines = afterLook(context.quarantines, inventory);
      enqueue.assign({ roster, inventory, gpuCause: null, quarantines, samples: { inventory } });
      deliver(enqueue, [...toBlocked(context), ...toRegistration(context, { type: 'roster.changed' })]);
    }),
    keepSample: assign((_, { inventory }: { inventory: Inventory }) => ({ samples: { inventory } })),
    goBlind: assign((_, { cause }: { cause: Cause }) => ({ gpuCause: cause })),

    // --- handoff files
    passHandoff: enqueueActions(({ context, enqueue }, { handoff, at, mono }: Stamp & { handoff: Handoff }) => {
      const entry = context.roster[handoff.poolId];
      if (entry === undefined) return;
      enqueue.sendTo(entry.actorId, { type: 'handoff.appeared', handoff, at, mono } satisfies PoolEvent);
      if (entry.origin !== 'attached' || !handoff.ready) return;
      enqueue.assign({ roster: withEntry(context.roster, handoff.poolId, { handoff }) });
      enqueue.sendTo('roster', { type: 'pool.attached', handoff });
    }),
    /** A file with an incarnation is ours, of a pool that is gone: nobody else's engine hides behind it. */
    adoptStranger: enqueueActions(({ context, enqueue, self }, { handoff }: { handoff: Handoff }) => {
      const { file, poolId } = handoff;
      // By way of an event, as a pool does it: what became of a file is seen there.
      const settle = (outcome: HandoffOutcome): void => enqueue.sendTo(self, { type: 'handoff.settled', poolId, file, outcome } satisfies PoolReport);
      if (handoff.incarnation !== null) return settle('stale');
      if (!handoff.ready) return settle('not_ready');
      const spec = attachedSpec(handoff);
      const origin: PoolOrigin = 'attached';
      const pool = { poolId: handoff.poolId, origin, spec, specHash: 'attached', run: null, memory: null, handoff };
      const birth = birthOf(pool, context.spawned + 1, context.inventory, 0);
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
