/** What became of pools and what their engines wrote: pages of the past, and streams of what comes. */
import { Hono } from 'hono';
import { answer } from '../answers.ts';
import type { AppEnv } from '../env.ts';
import { statusOfPool } from '../pool-id.ts';
import type { JournalPort, LogsPort, NodePort } from '../ports.ts';
import { Problem } from '../problems.ts';
import { query } from '../query.ts';
import { resumeId } from '../resume-id.ts';
import { eventsQuery, logsQuery } from '../schemas/requests.ts';
import type { StreamSource, Streams } from '../streams.ts';

export interface HistoryRoutesOptions {
  readonly node: NodePort;
  readonly journal: JournalPort;
  readonly logs: LogsPort;
  readonly streams: Streams;
}

const usualEvents = 100;
const usualTail = 100;

export const historyRoutes = ({ node, journal, logs, streams }: HistoryRoutesOptions) =>
  new Hono<AppEnv>()
    .get('/v2/pools/:id/events', query(eventsQuery), async (c) => {
      const { pool_id } = statusOfPool(node, c.req.param('id'));
      const { limit = usualEvents, before = null } = c.req.valid('query');
      return answer(c.env, { pool_id, events: await journal.poolEvents(pool_id, { limit, before }) });
    })
    .get('/v2/events', (c) =>
      streams.open(c.env, resumeId(c.req.header('last-event-id')), (after, listener) =>
        journal.follow(after, (record) => listener({ id: record.seq, event: 'transition', data: record })),
      ),
    )
    .get('/v2/pools/:id/logs', query(logsQuery), async (c) => {
      const { pool_id } = statusOfPool(node, c.req.param('id'));
      const { tail, follow = false, run = 'current' } = c.req.valid('query');
      if (follow) {
        if (run === 'previous') throw new Problem('INVALID_PARAMS', 'a previous run grows no more: expected run=current with follow=true');
        const after = resumeId(c.req.header('last-event-id'));
        return streams.open(c.env, after, await linesOf(logs, pool_id, after === null ? (tail ?? 0) : 0));
      }
      const lines = await logs.read(pool_id, { tail: tail ?? usualTail, run });
      if (lines === null) throw new Problem('NOT_FOUND', `pool ${pool_id} has no ${run} run of its engine, so there is no output`);
      return answer(c.env, { pool_id, run, lines });
    });

/** The last `tail` lines first, then what comes after them, nothing twice. */
const linesOf = async (logs: LogsPort, poolId: string, tail: number): Promise<StreamSource> => {
  const past = tail === 0 ? [] : ((await logs.read(poolId, { tail, run: 'current' })) ?? []);
  const end = past.at(-1)?.offset ?? null;
  return (after, listener) => {
    const tell = (line: { readonly offset: number; readonly text: string }): void => listener({ id: line.offset, event: 'line', data: line });
    for (const line of past) if (after === null || line.offset > after) tell(line);
    return logs.follow(poolId, after !== null && (end === null || after > end) ? after : end, tell);
  };
};
