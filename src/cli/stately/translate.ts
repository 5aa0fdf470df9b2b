/**
 * What the daemon tells of its actors, in the words of Stately's viewer: an actor with its chart the first time it is seen, then
 * events and states. Pure but for who was seen. Effects are left out, contexts are not told by the daemon.
 *
 * The shapes are those of `@statelyai/inspect` 0.7.2 (`StatelyInspectionEvent`).
 */
import * as v from 'valibot';
import type { AnyStateMachine } from 'xstate';

const snapshotSchema = v.looseObject({ status: v.string(), value: v.optional(v.unknown()) });

/** Of the messages of `GET /v2/inspect`, what a viewer shows. */
export const messageSchema = v.looseObject({
  id: v.number(),
  type: v.string(),
  at: v.optional(v.string(), ''),
  sessionId: v.optional(v.string(), ''),
  rootId: v.optional(v.string(), ''),
  actor: v.optional(v.nullable(v.string()), null),
  parent: v.optional(v.nullable(v.string()), null),
  source: v.optional(v.nullable(v.string()), null),
  machine: v.optional(v.nullable(v.string()), null),
  event: v.optional(v.looseObject({ type: v.string() })),
  snapshot: v.optional(snapshotSchema),
});
export type Message = v.InferOutput<typeof messageSchema>;

export interface Told {
  readonly type: '@xstate.actor' | '@xstate.event' | '@xstate.snapshot';
  readonly sessionId: string;
  readonly [field: string]: unknown;
}

/** A receiver takes what has a text here. */
export const protocolVersion = '0.7.2';

/** `charts` by the `machine` of a message. One for each connection to a daemon. */
export const createTranslator = (charts: Readonly<Record<string, AnyStateMachine>>): ((message: Message) => readonly Told[]) => {
  /** Session of the actor that last had this id, of those that live. */
  const sessions = new Map<string, string>();
  /** Machines, by session; what they did before that is known is told once it is. */
  const seen = new Set<string>();
  const parents = new Map<string, string | null>();

  return (message) => {
    const { type, sessionId, actor, parent, machine, event, snapshot } = message;
    if (type === '@xstate.actor') parents.set(sessionId, parent);
    const common = commonOf(message);
    const chart = machine === null ? undefined : charts[machine];
    const told: Told[] = [];
    if (chart !== undefined && actor !== null && snapshot !== undefined && !seen.has(sessionId)) {
      seen.add(sessionId);
      sessions.set(actor, sessionId);
      const parentId = sessions.get(parents.get(sessionId) ?? '');
      told.push({ ...common, type: '@xstate.actor', name: actor, definition: definitionOf(chart), parentId, snapshot: shown(snapshot) });
    }
    if (!seen.has(sessionId)) return told;
    if (type === '@xstate.event' && event !== undefined)
      told.push({ ...common, type, event, sourceId: message.source === null ? undefined : sessions.get(message.source) });
    if (type === '@xstate.snapshot' && snapshot !== undefined) {
      told.push({ ...common, type, event: event ?? { type: '' }, snapshot: shown(snapshot) });
      if (snapshot.status !== 'active') {
        seen.delete(sessionId);
        parents.delete(sessionId);
        if (actor !== null && sessions.get(actor) === sessionId) sessions.delete(actor);
      }
    }
    return told;
  };
};

const commonOf = ({ at, sessionId, rootId }: Message) => ({
  id: null,
  sessionId,
  rootId,
  createdAt: String(Date.parse(at) || 0),
  _version: protocolVersion,
});

const shown = ({ status, value }: v.InferOutput<typeof snapshotSchema>) => ({ status, value, context: {} });

/** What is a function in a chart has no name to show. */
const definitionOf = ({ config }: AnyStateMachine): string => JSON.stringify(config);
