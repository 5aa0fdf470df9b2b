/**
 * What tests ask a running daemon, over HTTP as anybody: typed views checked against the schemas of the API, raw answers, its
 * events as they come, and waiting for a pool to be somewhere.
 */
import * as v from 'valibot';
import { createEventParser } from '../../src/cli/sse.ts';
import type { TransitionRecord } from '../../src/http/ports.ts';
import { eventsSchema } from '../../src/http/schemas/records.ts';
import { gpusSchema, nodeSchema, poolStatusSchema, poolsSchema } from '../../src/http/schemas/views.ts';
import type { GpuView, NodeView, PoolStatus } from '../../src/machines/views.ts';
import { until } from './until.ts';

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

export interface DaemonApi {
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  node(): Promise<NodeView>;
  gpus(): Promise<readonly GpuView[]>;
  pools(): Promise<readonly PoolStatus[]>;
  pool(id: string): Promise<PoolStatus>;
  /** Newest first. */
  events(id: string): Promise<readonly TransitionRecord[]>;
  /** Waits until the pool is as `look` says. */
  sees(id: string, what: string, look: (pool: PoolStatus) => boolean, withinMs?: number): Promise<PoolStatus>;
  /** Waits until these pools are ready. */
  ready(...ids: readonly string[]): Promise<readonly PoolStatus[]>;
  metric(line: RegExp): Promise<number | null>;
  /** Every transition from now on. `stop` ends the stream. */
  follow(): Promise<{ readonly seen: readonly TransitionRecord[]; stop(): void }>;
}

const waitMs = 20_000;
/** A look is a request: many daemons beside each other are not to be kept busy by being looked at. */
const lookEveryMs = 50;

/** `until` for what a daemon is asked, on a machine with much to do. */
export const asking: typeof until = (what, look, withinMs = waitMs) => until(what, look, withinMs, lookEveryMs);

export const daemonApi = (url: string, token: string | null = null): DaemonApi => {
  const bearer = token === null ? {} : { authorization: `Bearer ${token}` };
  const ask: DaemonApi['ask'] = async (method, path, body) => {
    const sent =
      body === undefined ? { headers: bearer } : { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...bearer } };
    const response = await fetch(url + path, { method, ...sent });
    return { status: response.status, body: v.parse(v.record(v.string(), v.unknown()), await response.json()), headers: response.headers };
  };
  const read = async <S extends v.GenericSchema>(path: string, schema: S): Promise<v.InferOutput<S>> => {
    const { status, body } = await ask('GET', path);
    if (status !== 200) throw new Error(`expected 200 from ${path}, found ${status}: ${JSON.stringify(body)}`);
    return v.parse(schema, body);
  };
  const pool = (id: string): Promise<PoolStatus> => read(`/v2/pools/${id}/status`, poolStatusSchema);
  const sees: DaemonApi['sees'] = async (id, what, look, withinMs = waitMs) => {
    let last: PoolStatus | null = null;
    try {
      return await asking(
        what,
        async () => {
          last = await pool(id);
          return look(last) ? last : null;
        },
        withinMs,
      );
    } catch (thrown) {
      throw new Error(`${id} was not ${what} within ${withinMs} ms: ${JSON.stringify(last)}`, { cause: thrown });
    }
  };
  return {
    ask,
    node: () => read('/v2/node', nodeSchema),
    gpus: async () => (await read('/v2/gpus', gpusSchema)).gpus,
    pools: async () => (await read('/v2/pools', poolsSchema)).pools,
    pool,
    events: async (id) => (await read(`/v2/pools/${id}/events?limit=1000`, eventsSchema)).events,
    sees,
    ready: (...ids) => Promise.all(ids.map((id) => sees(id, 'ready', ({ ready }) => ready))),
    metric: async (line) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      const found = text.split('\n').find((each) => line.test(each));
      return found === undefined ? null : Number(found.split(' ').at(-1));
    },
    follow: async () => {
      const ending = new AbortController();
      const response = await fetch(`${url}/v2/events`, { signal: ending.signal });
      const seen: TransitionRecord[] = [];
      const take = createEventParser(({ event, data }) => {
        if (event === 'transition') seen.push(JSON.parse(data));
      });
      void readAll(response, take);
      return { seen, stop: () => ending.abort() };
    },
  };
};

/** Until it ends or is ended. */
const readAll = async (response: Response, take: (text: string) => void): Promise<void> => {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) take(decoder.decode(chunk, { stream: true }));
  } catch {
    return;
  }
};
