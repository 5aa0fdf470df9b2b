/** Looks on at the actors of the daemon by `GET /v2/inspect`: who lives, where each is, and what happened of late. Bounded. */
import { type Cast, type Moment, machines, play, type Taken } from './moments.ts';
import { changed } from './store.ts';
import { follow, type StreamEvent } from './stream.ts';

const mostMoments = 2_000;

export interface Onlooker {
  readonly cast: Cast;
  /** The oldest first. */
  readonly moments: readonly Moment[];
  /** Null while it is open. */
  readonly trouble: () => string | null;
  close(): void;
}

interface Message {
  readonly id: number;
  readonly type: string;
  readonly at: string;
  readonly actor: string | null;
  readonly machine?: string | null;
  readonly source?: string | null;
  readonly event?: { readonly type: string };
  readonly transitions?: readonly {
    source: string;
    eventType: string;
    targets: readonly string[];
    guard: string | null;
    actions: readonly string[];
  }[];
  readonly snapshot?: { readonly status?: string; readonly path?: string };
}

export const lookOn = (): Onlooker => {
  const cast: Cast = new Map();
  const moments: Moment[] = [];
  const steps = new Map<string, Taken[]>();
  const sources = new Map<string, string | null>();
  let trouble: string | null = 'connecting';

  const take = ({ event, data }: StreamEvent): void => {
    if (event === 'reset') {
      cast.clear();
      moments.length = 0;
    }
    const message = data as Message;
    const { actor } = message;
    if (actor == null) return;
    if (message.type === '@xstate.event') sources.set(`${actor} ${message.event?.type}`, message.source ?? null);
    if (message.type === '@xstate.microstep') steps.set(actor, [...(steps.get(actor) ?? []), ...takenIn(message)]);
    if (message.type === '@xstate.actor' && isMachine(message.machine)) enter(actor, message.machine, message);
    if (message.type === '@xstate.snapshot' && isMachine(message.machine)) settle(actor, message.machine, message);
    changed();
  };

  const enter = (id: string, machine: string, { snapshot }: Message): void => {
    if (snapshot?.status === 'active') cast.set(id, { id, machine, path: snapshot.path ?? '' });
  };

  const settle = (actor: string, machine: string, { id, at, event = { type: '' }, snapshot }: Message): void => {
    const key = `${actor} ${event.type}`;
    const moment: Moment = {
      id,
      at,
      actor,
      machine,
      event,
      from: cast.get(actor)?.path ?? '',
      to: snapshot?.path ?? '',
      status: snapshot?.status ?? '',
      source: sources.get(key) ?? null,
      steps: steps.get(actor) ?? [],
    };
    steps.delete(actor);
    sources.delete(key);
    play(cast, moment);
    moments.push(moment);
    if (moments.length > mostMoments) moments.splice(0, moments.length - mostMoments);
  };

  const close = follow('/v2/inspect', take, {
    onOpen: (open) => {
      trouble = open ? null : 'the daemon does not answer; looking on again once it does';
      changed();
    },
    onRefused: ({ message }) => {
      trouble = message;
      changed();
    },
  });
  return { cast, moments, trouble: () => trouble, close };
};

const takenIn = ({ transitions = [] }: Message): Taken[] =>
  transitions
    .filter(({ eventType }) => eventType !== 'xstate.init')
    .map(({ source, eventType, targets, guard, actions }) => ({ source, targets, guard, actions, on: eventType }));

const isMachine = (name: string | null | undefined): name is string => name != null && machines.includes(name);
