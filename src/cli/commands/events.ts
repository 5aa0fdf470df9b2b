/** `events [ID] [-f]`: what became of the pools, oldest first; with `-f` also what becomes of them. */
import { eventSchema, eventsSchema, poolsSchema, type Transition } from '../answers.ts';
import { withId } from '../client.ts';
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
  const lastEventId = last === undefined ? nothingYet : String(last.seq);
  await follow(
    session.api,
    { question: (client) => client.v2.events.$get(), lastEventId, signal: session.signal, note: session.note },
    (received) => {
      const event = dataOf(received, eventSchema);
      if (event !== null && (id === undefined || event.pool_id === id)) print(event);
    },
  );
};

/** The latest `limit` of one pool or of all, in the order in which they happened. */
const pastEvents = async ({ api }: Session, id: string | undefined, limit: number): Promise<readonly Transition[]> => {
  if (limit === 0) return [];
  const ids = id === undefined ? (await api.ask((client) => client.v2.pools.$get()).read(poolsSchema)).pools.map((pool) => pool.pool_id) : [id];
  const answers = await Promise.all(
    ids.map((each) =>
      api.ask((client) => client.v2.pools[':id'].events.$get({ ...withId(each), query: { limit: String(limit) } })).read(eventsSchema),
    ),
  );
  return answers
    .flatMap((answer) => answer.events)
    .sort((one, other) => one.seq - other.seq)
    .slice(-limit);
};
