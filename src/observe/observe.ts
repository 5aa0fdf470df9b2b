/**
 * Turns xstate's inspection events into observations: one per event that a machine of ours has worked off.
 *
 * Event and snapshot are paired by actor and by the event's identity, since sends between actors interleave. Decides nothing
 * and writes nothing; observers do. An observer that throws is counted and named once, and never reaches the actor.
 */
import { type InspectionEvent, isMachineSnapshot } from 'xstate';
import { stamp as now } from '../clock.ts';
import { publicIdOf } from '../machines/policies/berths.ts';
import { pathOf } from '../machines/policies/describe.ts';
import type { Stamp } from '../machines/vocabulary.ts';
import { textAt } from './look.ts';

export type MachineName = 'pool' | 'node' | 'registration' | 'gpu';

/** What can be read of a machine's snapshot from outside. */
export interface MachineState {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
  /** Actors it can speak to, by id. */
  readonly children?: object;
}

export interface ObservedEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** One event, worked off by one machine. The stamp says when it was seen to be over. */
export interface Observation extends Stamp {
  /** `pool-0#7`, `node`, `registration`, the UUID of a card. */
  readonly actorId: string;
  readonly machine: MachineName;
  /** As it is known to people; the actor's id names the berth. */
  readonly poolId: string | null;
  /** Of the engine that the pool has, or had before this event. */
  readonly incarnation: string | null;
  /** Id of the sender; null: from outside, or a timer of the actor itself has no sender. */
  readonly source: string | null;
  readonly event: ObservedEvent;
  /** State paths, `ready.healthy`, `lifecycle.serving,gpus.known`; `from` is empty when the actor has just been made. */
  readonly from: string;
  readonly to: string;
  readonly changed: boolean;
  /** Only for display: not journaled. */
  readonly sample: boolean;
  readonly snapshot: MachineState;
  readonly before: MachineState | null;
  /** The machine threw on this event and is dead; `snapshot` is what it was before. */
  readonly failed: boolean;
}

export interface Observer {
  readonly name: string;
  observe(observation: Observation): void;
}

export interface InspectorOptions {
  /** Called at the first failure of each observer. */
  readonly onFailure?: (observer: string, error: unknown) => void;
  readonly stamp?: () => Stamp;
}

export interface Inspector {
  /** For `createActor(machine, { inspect })`. Never throws. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Failures so far, by observer. */
  readonly failures: () => ReadonlyMap<string, number>;
}

const sampleTypes: ReadonlySet<string> = new Set(['engine.sampled', 'gpu.sampled', 'progress.made']);
const machineNames: ReadonlySet<string> = new Set<MachineName>(['pool', 'node', 'registration', 'gpu']);
/** Events sent and not yet worked off, per actor. More than this means that nobody will. */
const maxPending = 10_000;

interface Pending {
  readonly event: ObservedEvent;
  readonly source: string | null;
}

interface Known {
  readonly id: string;
  readonly machine: MachineName;
  readonly state: MachineState;
}

type Ref = InspectionEvent['actorRef'];

export const createInspector = (observers: readonly Observer[], { onFailure, stamp = now }: InspectorOptions = {}): Inspector => {
  const pending = new WeakMap<object, Pending[]>();
  const known = new WeakMap<object, Known>();
  const failures = new Map<string, number>();

  const fail = (name: string, error: unknown): void => {
    const count = (failures.get(name) ?? 0) + 1;
    failures.set(name, count);
    if (count > 1) return;
    try {
      onFailure?.(name, error);
    } catch {
      // The place where failures are told has failed: the count remains.
    }
  };

  const tell = (observation: Observation): void => {
    for (const observer of observers) {
      try {
        observer.observe(observation);
      } catch (error) {
        fail(observer.name, error);
      }
    }
  };

  const note = (ref: Ref, event: ObservedEvent, source: Ref | undefined): void => {
    const queue = pending.get(ref) ?? [];
    if (queue.length === 0) pending.set(ref, queue);
    if (queue.length >= maxPending) queue.shift();
    queue.push({ event, source: idOf(source) });
    if (event.type.startsWith('xstate.error.actor.') && source !== undefined) bury(source);
  };

  /** A machine that threw sends no snapshot; the event that it died of is told all the same. */
  const bury = (ref: Ref): void => {
    const last = known.get(ref);
    const [fatal] = pending.get(ref) ?? [];
    if (last === undefined || fatal === undefined) return;
    pending.delete(ref);
    known.delete(ref);
    tell(observationOf({ ...stamp(), known: last, before: last.state, ...fatal, failed: true }));
  };

  const settle = (ref: Ref, event: ObservedEvent, snapshot: unknown): void => {
    const source = take(pending.get(ref), event);
    if (!isMachineSnapshot(snapshot)) return;
    const name: unknown = snapshot.machine.id;
    if (!isMachineName(name)) return;
    const { value, context, status, children } = snapshot;
    const state: MachineState = { value, context, status, children };
    const next: Known = { id: idOf(ref) ?? name, machine: name, state };
    const before = known.get(ref)?.state ?? null;
    known.set(ref, next);
    tell(observationOf({ ...stamp(), known: next, before, event, source, failed: false }));
  };

  return {
    inspect: (inspected) => {
      try {
        if (inspected.type === '@xstate.event') note(inspected.actorRef, inspected.event, inspected.sourceRef);
        else if (inspected.type === '@xstate.snapshot') settle(inspected.actorRef, inspected.event, inspected.snapshot);
      } catch (error) {
        fail('inspector', error);
      }
    },
    failures: () => failures,
  };
};

const observationOf = (
  seen: Stamp & { known: Known; before: MachineState | null; event: ObservedEvent; source: string | null; failed: boolean },
): Observation => {
  const { known, before, event } = seen;
  const from = before === null ? '' : pathOf(before.value);
  const to = pathOf(known.state.value);
  return {
    at: seen.at,
    mono: seen.mono,
    actorId: known.id,
    machine: known.machine,
    poolId: known.machine === 'pool' ? publicIdOf(textAt(known.state.context, 'poolId') ?? known.id.split('#')[0] ?? '') : null,
    incarnation: textAt(known.state.context, 'run', 'incarnation') ?? textAt(before?.context, 'run', 'incarnation'),
    source: seen.source,
    event,
    from,
    to,
    changed: from !== to,
    sample: sampleTypes.has(event.type),
    snapshot: known.state,
    before,
    failed: seen.failed,
  };
};

/** Takes the event out of the queue, and what is older and was never worked off. */
const take = (queue: Pending[] | undefined, event: ObservedEvent): string | null => {
  const index = queue?.findIndex((waiting) => waiting.event === event) ?? -1;
  if (queue === undefined || index < 0) return null;
  return queue.splice(0, index + 1)[index]?.source ?? null;
};

const isMachineName = (name: unknown): name is MachineName => typeof name === 'string' && machineNames.has(name);
const idOf = (ref: Ref | undefined): string | null => (ref !== undefined && 'id' in ref && typeof ref.id === 'string' ? ref.id : null);
