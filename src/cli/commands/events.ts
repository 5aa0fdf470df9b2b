/** `events [ID] [-f]`: what became of the pools, oldest first; with `-f` also what becomes of them. */
import { eventSchema, eventsSchema, poolsSchema, type Transition } from '../answers.ts';
import { poolPath } from '../api.ts';
import type { Session } from '../context.ts';
import { dataOf } from '../event-data.ts';
import { eventLine } from '../show.ts';
import { follow } from '../sse.ts';

export interface EventsOptions {
  readonly follow: boolean;
  readonly limit: number;
}

export const events = async (session: Session, id: string | undefined, options: EventsOptions): Promise<void> => {
  const print = (event: Transition): void => session.print(session.json ? JSON.stringify(event) : eventLine(event));
  const past = await pastEvents(session, id, options.limit);
  for (const event of past) print(event);
  if (!options.follow) return;
  const last = past.at(-1);
  // Where nothing has happened yet, from the beginning: what happens meanwhile is not missed.
  const nothingYet = options.limit === 0 ? null : '0';
  const from = { path: '/v2/events', lastEventId: last === undefined ? nothingYet : String(last.seq) };
  await follow(session.api, { ...from, signal: session.signal, note: session.note }, (received) => {
    const event = dataOf(received, eventSchema);
    if (event !== null && (id === undefined || event.pool_id === id)) print(event);
  });
};

/** The latest `limit` of one pool or of all, in the order in which they happened. */
const pastEvents = async ({ api }: Session, id: string | undefined, limit: number): Promise<readonly Transition[]> => {
  if (limit === 0) return [];
  const ids = id === undefined ? (await api.get('/v2/pools', poolsSchema)).pools.map((pool) => pool.pool_id) : [id];
  const answers = await Promise.all(ids.map((each) => api.get(poolPath(each, `/events?limit=${limit}`), eventsSchema)));
  return answers
    .flatMap((answer) => answer.events)
    .sort((one, other) => one.seq - other.seq)
    .slice(-limit);
};
