/**
 * `events [ID] [-f] [--all]`: what became of the pools, oldest first; with `-f` also what becomes of them. People are spared the
 * steps of a start that came to nothing worth telling, unless they ask for all; `--json` leaves out nothing.
 */
import { eventSchema, eventsSchema, poolsSchema, type Transition } from '../answers.ts';
import type { Api } from '../api.ts';
import { withId } from '../client.ts';
import type { Session } from '../context.ts';
import { dataOf } from '../event-data.ts';
import { eventLine } from '../show.ts';
import { follow } from '../sse.ts';

export interface EventsOptions {
  readonly follow: boolean;
  readonly limit: number;
  /** With the steps inside provisioning and starting. */
  readonly all: boolean;
}

export const events = async (session: Session, id: string | undefined, options: EventsOptions): Promise<void> => {
  const isTold = session.json || options.all ? () => true : isMoreThanAStep;
  const print = (event: Transition): void => session.print(session.json ? JSON.stringify(event) : eventLine(event));
  const { told, lastSeq } = await pastEvents(session, id, options.limit, isTold);
  for (const event of told) print(event);
  if (!options.follow) return;
  // Where nothing has happened yet, from the beginning: what happens meanwhile is not missed.
  const nothingYet = options.limit === 0 ? null : '0';
  const lastEventId = lastSeq === null ? nothingYet : String(lastSeq);
  await follow(
    session.api,
    { question: (client) => client.v2.events.$get(), lastEventId, signal: session.signal, note: session.note },
    (received) => {
      const event = dataOf(received, eventSchema);
      if (event !== null && (id === undefined || event.pool_id === id) && isTold(event)) print(event);
    },
  );
};

const stepwise = ['provisioning', 'starting'];

/** Whatever has a reason or an outcome, or leads to another of the states that people know. */
const isMoreThanAStep = ({ pool_id, from, to, reason, outcome }: Transition): boolean => {
  const outer = outerOf(to);
  return pool_id === null || reason !== null || outcome !== null || outer !== outerOf(from) || !stepwise.includes(outer);
};

const outerOf = (path: string): string => path.split('.')[0] ?? '';

type IsTold = (event: Transition) => boolean;

interface Past {
  /** In the order in which they happened. */
  readonly told: readonly Transition[];
  /** Of the latest of all, told or not; null: there is none. */
  readonly lastSeq: number | null;
}

/** The latest `limit` that are told, of one pool or of all. */
const pastEvents = async (session: Session, id: string | undefined, limit: number, isTold: IsTold): Promise<Past> => {
  if (limit === 0) return { told: [], lastSeq: null };
  const listed = async () => (await session.api.ask((client) => client.v2.pools.$get()).read(poolsSchema)).pools.map((pool) => pool.pool_id);
  const pasts = await Promise.all((id === undefined ? await listed() : [id]).map((each) => pastOf(session, each, limit, isTold)));
  const seqs = pasts.flatMap(({ lastSeq }) => (lastSeq === null ? [] : [lastSeq]));
  return {
    told: pasts
      .flatMap(({ told }) => told)
      .sort((one, other) => one.seq - other.seq)
      .slice(-limit),
    lastSeq: seqs.length === 0 ? null : Math.max(...seqs),
  };
};

const mostAsked = 1_000;
/** Of the events of a pool that is started over and over, about one in three is told. */
const further = 4;

/** Page by page, newest first, until there are enough that are told or no more at all. */
const pastOf = async ({ api }: Session, id: string, limit: number, isTold: IsTold): Promise<Past> => {
  const told: Transition[] = [];
  let asked = limit;
  let page = await pageOf(api, id, { limit: String(asked) });
  const lastSeq = page[0]?.seq ?? null;
  for (;;) {
    told.push(...page.filter(isTold));
    const oldest = page.at(-1);
    if (oldest === undefined || page.length < asked || told.length >= limit) return { told, lastSeq };
    asked = Math.min(mostAsked, further * limit);
    page = await pageOf(api, id, { limit: String(asked), before: String(oldest.seq) });
  }
};

const pageOf = async (api: Api, id: string, query: { limit: string; before?: string }): Promise<readonly Transition[]> =>
  (await api.ask((client) => client.v2.pools[':id'].events.$get({ ...withId(id), query })).read(eventsSchema)).events;
