/** `inspect [ACTOR]`: the charts at work, as they work: what is remembered of late, then each event and what it did. */
import * as v from 'valibot';
import type { Session } from '../context.ts';
import { dataOf } from '../event-data.ts';
import { follow } from '../sse.ts';
import { paint, printable } from '../table.ts';

const transitionSchema = v.looseObject({
  source: v.string(),
  targets: v.array(v.string()),
  guard: v.nullable(v.string()),
  actions: v.array(v.string()),
});

/** Of the messages of `GET /v2/inspect`, what is shown. */
const messageSchema = v.looseObject({
  type: v.string(),
  at: v.string(),
  actor: v.nullable(v.string()),
  machine: v.nullish(v.string()),
  event: v.nullish(v.looseObject({ type: v.string() })),
  transitions: v.nullish(v.array(transitionSchema)),
  snapshot: v.nullish(v.looseObject({ path: v.nullish(v.string()), status: v.nullish(v.string()) })),
});
type Message = v.InferOutput<typeof messageSchema>;

export const inspect = async (session: Session, wanted: string | undefined): Promise<void> => {
  const { api, signal, note, print, json, colour } = session;
  note(`as pictures: ${api.url.replace(/\/$/, '')}/statecharts`);
  const describe = createDescriber(colour);
  await follow(api, { question: (client) => client.v2.inspect.$get(), lastEventId: null, signal, note }, (event) => {
    const message = dataOf(event, messageSchema);
    if (message === null || (wanted !== undefined && !isOf(message, wanted))) return;
    if (json) return print(JSON.stringify(message));
    for (const line of describe(message)) print(line);
  });
};

/** An actor by its id, `chat#7`, or all that a pool ever had. */
const isOf = ({ actor }: Message, wanted: string): boolean => actor === wanted || actor?.split('#')[0] === wanted;

/** A line for each event that a machine worked off, and below it the steps it took. */
const createDescriber = (colour: boolean): ((message: Message) => readonly string[]) => {
  const where = new Map<string, string>();
  const steps = new Map<string, readonly string[]>();
  return ({ type, at, actor, machine, event, transitions, snapshot }) => {
    if (actor === null) return [];
    if (type === '@xstate.microstep') steps.set(actor, [...(steps.get(actor) ?? []), ...(transitions ?? []).map(stepLine)]);
    const path = snapshot?.path ?? null;
    if (machine == null || path === null || (type !== '@xstate.snapshot' && type !== '@xstate.actor')) return [];
    const before = where.get(actor) ?? '';
    where.set(actor, path);
    if (type === '@xstate.actor') return [printable(`${at}  ${actor}  is ${path}`)];
    const taken = steps.get(actor) ?? [];
    steps.delete(actor);
    const move = before === path ? paint(path, colour ? 'dim' : null) : `${before || '-'} -> ${paint(path, colour ? 'green' : null)}`;
    return [`${printable(`${at}  ${actor}  ${event?.type ?? ''}`)}  ${move}`, ...taken.map((line) => paint(printable(line), colour ? 'dim' : null))];
  };
};

const stepLine = ({ source, targets, guard, actions }: v.InferOutput<typeof transitionSchema>): string =>
  [
    `    ${source} -> ${targets.length === 0 ? 'stays' : targets.join(', ')}`,
    ...(guard === null ? [] : [`[${guard}]`]),
    ...(actions.length === 0 ? [] : [`/ ${actions.join(', ')}`]),
  ].join(' ');
