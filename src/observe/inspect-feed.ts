/**
 * What the actors of the daemon did of late, for those who look on over HTTP: `GET /v2/inspect`.
 *
 * The names are those of XState's inspection events. Raw events are kept, a bounded number, and put into words only when
 * somebody reads them: secrets and bulk are taken out as for the inspector bridge; contexts, definitions and samples are left
 * out. Never throws into an actor.
 */
import { type InspectionEvent, isMachineSnapshot } from 'xstate';
import type { InspectMessage, InspectPort } from '../http/ports.ts';
import { pathOf, rfc3339 } from '../machines/policies/describe.ts';
import { at as fieldAt } from './look.ts';
import { type SanitiseLimits, sanitise } from './sanitise.ts';

export interface InspectFeed extends InspectPort {
  /** For `createActor(machine, { inspect })`. */
  readonly inspect: (event: InspectionEvent) => void;
  /** Events that could not be put into words, or whose reader failed. */
  readonly failures: () => number;
}

export interface InspectFeedOptions {
  /** Events that are kept. */
  readonly kept?: number;
  readonly now?: () => number;
}

type Seen = Extract<InspectionEvent, { readonly type: InspectMessage['type'] }>;

/** A snapshot without its context, which would keep alive what its actor has long replaced. */
interface Glimpse {
  readonly status: unknown;
  /** Null: it is no machine's, and there is nothing more to say. */
  readonly machine: { readonly id: string; readonly value: unknown; readonly children: object } | null;
}

type WithGlimpse<Event> = Event extends { readonly snapshot: unknown } ? Omit<Event, 'snapshot'> & { readonly snapshot: Glimpse } : Event;

interface Entry {
  readonly id: number;
  readonly at: number;
  readonly seen: WithGlimpse<Seen>;
}

const limits: SanitiseLimits = { depth: 6, text: 500, items: 50 };
/** Characters of one event; longer ones are told by their type. */
const longestEvent = 8_000;
const mostActors = 4_096;
/** They come by the second from every engine and change nothing. */
const sampleTypes: ReadonlySet<string> = new Set(['engine.sampled', 'gpu.sampled', 'progress.made']);

export const createInspectFeed = ({ kept = 1_000, now = Date.now }: InspectFeedOptions = {}): InspectFeed => {
  const ring: Entry[] = [];
  /** Of every machine that lives the entry that it was last seen in. */
  const alive = new Map<string, Entry>();
  const listeners = new Set<(message: InspectMessage) => void>();
  const floor = now();
  let latest = floor;
  let failures = 0;

  const guarded = <T>(work: () => T): T | null => {
    try {
      return work();
    } catch {
      failures += 1;
      return null;
    }
  };

  const keep = (seen: Seen): void => {
    latest += 1;
    const entry = { id: latest, at: now(), seen: withoutContext(seen) };
    note(entry);
    ring.push(entry);
    if (ring.length > kept) ring.shift();
    if (listeners.size === 0) return;
    const message = guarded(() => messageOf(entry));
    if (message !== null) for (const listener of [...listeners]) guarded(() => listener(message));
  };

  /** Remembers and forgets machines; effects are known by the machine that has them. */
  const note = (entry: Entry): void => {
    const { seen } = entry;
    if (seen.type !== '@xstate.snapshot' || seen.snapshot.machine === null) return;
    const { sessionId } = seen.actorRef;
    alive.delete(sessionId);
    if (seen.snapshot.status === 'active' && alive.size < mostActors) alive.set(sessionId, entry);
  };

  return {
    inspect: (event) => void guarded(() => (isTold(event) ? keep(event) : undefined)),
    failures: () => failures,
    follow: (after, listener) => {
      let stopped = false;
      const tell = (message: InspectMessage): void => {
        if (!stopped) listener(message);
      };
      const from = after ?? floor;
      if (after !== null && after < floor) tell({ id: floor, type: 'reset' });
      const begin = ring[0]?.id ?? latest + 1;
      // First where each machine is that did nothing of late, in the order of their last words.
      const still = [...alive.values()].filter(({ id }) => id < begin).sort((one, other) => one.id - other.id);
      for (const entry of [...still, ...ring]) {
        if (stopped) break;
        if (entry.id <= from) continue;
        const message = guarded(() => (entry.id < begin ? birthOf(entry) : messageOf(entry)));
        if (message !== null) tell(message);
      }
      if (stopped) return () => undefined;
      listeners.add(tell);
      return () => {
        stopped = true;
        listeners.delete(tell);
      };
    },
  };
};

/** A sample is told where it moves something, which its microstep and snapshot say by themselves. */
const isTold = (event: InspectionEvent): event is Seen => {
  if (event.type === '@xstate.actor') return true;
  if (event.type !== '@xstate.event' && event.type !== '@xstate.microstep' && event.type !== '@xstate.snapshot') return false;
  return !sampleTypes.has(event.event.type);
};

const withoutContext = (seen: Seen): WithGlimpse<Seen> => ('snapshot' in seen ? { ...seen, snapshot: glimpseOf(seen.snapshot) } : seen);

const glimpseOf = (snapshot: unknown): Glimpse => ({
  status: fieldAt(snapshot, 'status'),
  machine: isMachineSnapshot(snapshot) ? { id: String(snapshot.machine.id), value: snapshot.value, children: snapshot.children } : null,
});

const messageOf = ({ id, at, seen }: Entry): InspectMessage => {
  const common = { id, type: seen.type, at: rfc3339(at), sessionId: seen.actorRef.sessionId, actor: nameOf(seen.actorRef), rootId: seen.rootId };
  switch (seen.type) {
    case '@xstate.actor':
      return { ...common, parent: nameOf(fieldAt(seen.actorRef, '_parent')), machine: null, snapshot: { status: 'active' } };
    case '@xstate.event':
      return { ...common, source: nameOf(seen.sourceRef), event: eventOf(seen.event) };
    case '@xstate.microstep':
      return { ...common, event: { type: seen.event.type }, transitions: seen._transitions.map(transitionOf), snapshot: snapshotOf(seen.snapshot) };
    case '@xstate.snapshot':
      return { ...common, machine: seen.snapshot.machine?.id ?? null, event: eventOf(seen.event), snapshot: snapshotOf(seen.snapshot) };
  }
};

/** Of a machine whose last words are no longer kept: that it lives, and where it is. */
const birthOf = ({ id, at, seen }: Entry): InspectMessage => ({
  id,
  type: '@xstate.actor',
  at: rfc3339(at),
  sessionId: seen.actorRef.sessionId,
  actor: nameOf(seen.actorRef),
  rootId: seen.rootId,
  parent: nameOf(fieldAt(seen.actorRef, '_parent')),
  machine: 'snapshot' in seen ? (seen.snapshot.machine?.id ?? null) : null,
  snapshot: 'snapshot' in seen ? snapshotOf(seen.snapshot) : { status: 'active' },
});

const eventOf = (event: { readonly type: string }): unknown => {
  const shown = sanitise(event, limits);
  const length = JSON.stringify(shown)?.length ?? 0;
  return length > longestEvent ? { type: event.type, omitted: length } : shown;
};

const snapshotOf = ({ status, machine }: Glimpse): object =>
  machine === null
    ? { status }
    : { status, value: machine.value, path: pathOf(machine.value), children: Object.keys(machine.children).slice(0, limits.items) };

type Transition = Extract<InspectionEvent, { readonly type: '@xstate.microstep' }>['_transitions'][number];

const transitionOf = ({ source, eventType, target, guard, actions }: Transition): object => ({
  source: source.id,
  eventType,
  targets: (target ?? []).map(({ id }) => id),
  guard: guard === undefined ? null : wordOf(guard),
  actions: actions.map(wordOf),
});

/** Guards and actions of the charts have names; the few made on the spot have a type of their own. */
const wordOf = (named: unknown): string => {
  if (typeof named === 'string') return named;
  const type: unknown = typeof named === 'object' || typeof named === 'function' ? Reflect.get(Object(named), 'type') : null;
  return typeof type === 'string' ? type : 'unnamed';
};

const nameOf = (ref: unknown): string | null => {
  const id = fieldAt(ref, 'id');
  return typeof id === 'string' ? id : null;
};
