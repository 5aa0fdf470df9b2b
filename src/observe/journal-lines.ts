/**
 * What one observation looks like in the journal: the line of all events, and the record of a transition. Pure.
 *
 * A line holds what a fold needs: the event as received (secrets out), the state reached, and a digest of the context.
 */
import type { TransitionRecord } from '../http/ports.ts';
import { rfc3339 } from '../machines/policies/describe.ts';
import { at, causeAt, textAt } from './look.ts';
import type { MachineState, Observation } from './observe.ts';
import { sanitise } from './sanitise.ts';

/** Of what a journal's lines look like. Said at every opening; a reader refuses what is newer than itself. */
export const journalForm = 1;

/** Longer events are left out of their line, which then cannot be folded. */
const maxEventCharacters = 8 * 1024 * 1024;

export const eventLine = (seq: number, seen: Observation): string => {
  const event = JSON.stringify(sanitise(seen.event));
  const kept = event.length <= maxEventCharacters ? event : JSON.stringify({ type: seen.event.type, omitted: event.length });
  const facts = JSON.stringify({
    seq,
    at: rfc3339(seen.at),
    mono: seen.mono,
    actor: seen.actorId,
    machine: seen.machine,
    pool_id: seen.poolId,
    incarnation: seen.incarnation,
    source: seen.source,
    state: seen.to,
    status: seen.failed ? 'error' : seen.snapshot.status,
    ctx: contextDigest(seen.snapshot.context),
  });
  return `${facts.slice(0, -1)},"event":${kept}}`;
};

/** What a checkpoint needs of the last observation of an actor: not the snapshot before it, nor the event. */
export type LastSeen = Pick<Observation, 'at' | 'mono' | 'actorId' | 'machine' | 'poolId' | 'incarnation' | 'snapshot'>;

export const lastSeenOf = ({ at, mono, actorId, machine, poolId, incarnation, snapshot }: Observation): LastSeen => ({
  at,
  mono,
  actorId,
  machine,
  poolId,
  incarnation,
  snapshot,
});

/** Lets a fold begin where the lines before it have been dropped. */
export const checkpointLine = (seq: number, seen: LastSeen): string =>
  JSON.stringify({
    seq,
    at: rfc3339(seen.at),
    mono: seen.mono,
    actor: seen.actorId,
    machine: seen.machine,
    pool_id: seen.poolId,
    incarnation: seen.incarnation,
    checkpoint: {
      value: seen.snapshot.value,
      context: sanitise(seen.snapshot.context),
      status: seen.snapshot.status,
      // A fold must know whom the actor can speak to.
      children: Object.keys(seen.snapshot.children ?? {}),
    },
  });

/** Events that are in no file, since it could not be written. */
export interface Gap {
  /** Number of the last event before them. */
  readonly after: number;
  readonly missing: number;
  /** Of the first of them, milliseconds since the epoch. */
  readonly since: number;
  /** Why it could not be written. */
  readonly error: string;
}

/** Stands before the checkpoints from which a fold goes on. Of two with the same `after` the later one counts. */
export const gapLine = (seq: number, { after, missing, since, error }: Gap): string =>
  JSON.stringify({ seq, at: rfc3339(Date.now()), gap: { after, missing, since: rfc3339(since), error } });

export const transitionRecord = (seq: number, seen: Observation): TransitionRecord => ({
  seq,
  at: rfc3339(seen.at),
  pool_id: seen.poolId,
  actor: seen.actorId,
  event: seen.event.type,
  from: seen.from,
  to: seen.to,
  reason: reasonOf(seen),
  incarnation: seen.incarnation,
  outcome: outcomeOf(seen),
});

/** A pool that went back to its spec is well, and has none; why it went back is what is asked of that. */
const reasonOf = (seen: Observation): ReturnType<typeof causeAt> => {
  if (isConclusion(seen)) return causeAt(seen.event, 'cause');
  return outcomeOf(seen) === 'rolled_back' ? causeAt(at(seen.before?.context, 'reload'), 'gaveUp') : causeAt(seen.snapshot.context, 'reason');
};

/** A reload that has come to its end with this event: `reloaded`, `rolled_back`, or `given_up` where nothing became ready. */
export const outcomeOf = (seen: Observation): string | null => {
  const { before, snapshot, failed, to } = seen;
  if (failed) return 'crashed';
  if (isConclusion(seen)) return textAt(seen.event, 'outcome');
  const reload = at(before?.context, 'reload');
  if (typeof reload !== 'object' || reload === null || at(snapshot.context, 'reload') !== null) return null;
  // What it means that a new engine ended beside the old one is the node's to say.
  if (!to.startsWith('ready')) return at(reload, 'beside') === true ? null : 'given_up';
  // Resumed while the old engine emptied: the new spec still waited.
  const isResumed = (at(before?.context, 'nextSpec') ?? null) !== null;
  return at(reload, 'gaveUp') === null && !isResumed ? 'reloaded' : 'rolled_back';
};

const isConclusion = ({ machine, event }: Observation): boolean => machine === 'pool' && event.type === 'reload.concluded';

/** Eight hex digits over the context without its samples and secrets. For comparing, not for security. */
export const contextDigest = (context: MachineState['context']): string =>
  isObject(context) ? cachedDigest(context, digestOfContext) : partDigest(context);

/** Contexts and their parts are replaced, never changed: most are the same object as at the event before. */
const digests = new WeakMap<object, string>();

const cachedDigest = (value: object, digestOf: (value: object) => string): string => {
  const before = digests.get(value);
  if (before !== undefined) return before;
  const digest = digestOf(value);
  digests.set(value, digest);
  return digest;
};

const digestOfContext = (context: object): string =>
  joined(
    Object.entries(context)
      .filter(([key, value]) => key !== 'samples' && value !== undefined)
      .map(([key, value]) => `${key}:${isObject(value) ? cachedDigest(value, digestOfPart) : partDigest({ [key]: value })}`),
  );

/** A table, such as the roster, by its entries: one pool's change does not have all of them digested again. */
const digestOfPart = (part: object): string =>
  isTable(part) ? joined(Object.keys(part).map((key) => lineOfEntry(key, part[key] ?? {}))) : partDigest(part);

/** An entry's part of the digest of its table. */
const lines = new WeakMap<object, { readonly key: string; readonly line: string }>();

const lineOfEntry = (key: string, entry: object): string => {
  const before = lines.get(entry);
  if (before?.key === key) return before.line;
  const line = `${key}:${partDigest(entry)}`;
  lines.set(entry, { key, line });
  return line;
};

const isTable = (part: object): part is Readonly<Record<string, object>> =>
  !Array.isArray(part) && Object.values(part).every((entry) => isObject(entry) && !Array.isArray(entry));

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const joined = (parts: string[]): string =>
  hex(parts.sort().reduce((hash, part, index) => fnv1a(part, index === 0 ? hash : fnv1a(',', hash)), basis));

const partDigest = (value: unknown): string => hex(fnv1a(JSON.stringify(sanitise(value)) ?? '', basis));

const basis = 0x811c9dc5;

/** Goes on from a hash, so that texts need not be joined to be hashed as one. */
const fnv1a = (text: string, from: number): number => {
  let hash = from;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
};

const hex = (hash: number): string => (hash >>> 0).toString(16).padStart(8, '0');

/** A line of `transitions.jsonl`; null where it is something else. */
export const readTransition = (value: unknown): TransitionRecord | null => (isTransition(value) ? value : null);

const isTransition = (value: unknown): value is TransitionRecord =>
  typeof value === 'object' &&
  value !== null &&
  'seq' in value &&
  Number.isSafeInteger(value.seq) &&
  ['at', 'actor', 'event', 'from', 'to'].every((key) => typeof at(value, key) === 'string');
