/**
 * Speaks HTTP to a running daemon. Every failure becomes a CliError that says what to do; every call has a deadline and a
 * bounded answer. Knows no commands and prints nothing.
 */
import * as v from 'valibot';
import type { FetchInit } from '../os/tls-fetch.ts';
import { readBounded } from '../read-bounded.ts';
import { poolsSchema, problemSchema } from './answers.ts';
import type { Connection } from './connection.ts';
import { CliError, exitCodes } from './exit.ts';

type Schema = v.GenericSchema;

export interface Api {
  readonly url: string;
  readonly get: <S extends Schema>(path: string, schema: S) => Promise<v.InferOutput<S>>;
  readonly send: <S extends Schema>(method: 'POST' | 'DELETE', path: string, body: object | null, schema: S) => Promise<v.InferOutput<S>>;
  /** An open stream of server-sent events; `lastEventId` null: from the beginning of what the route offers. */
  readonly stream: (path: string, lastEventId: string | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
}

const answerWithinMs = 10_000;
const longestAnswerBytes = 64 * 1024 * 1024;

export const poolPath = (id: string, rest = ''): string => `/v2/pools/${encodeURIComponent(id)}${rest}`;

export const createApi = ({ url, token, fetch }: Connection): Api => {
  const auth: Readonly<Record<string, string>> = token === null ? {} : { authorization: `Bearer ${token}` };
  const request = async (path: string, init: FetchInit): Promise<Response> => {
    const target = new URL(path, url);
    try {
      return await fetch(target, { ...init, redirect: 'manual', headers: { accept: 'application/json', ...auth, ...init.headers } });
    } catch (thrown) {
      throw notReached(url, thrown);
    }
  };
  const read = async (response: Response): Promise<string> => {
    try {
      return await readBounded(response, longestAnswerBytes);
    } catch (thrown) {
      throw notReached(url, thrown);
    }
  };
  const knownPools = async (): Promise<readonly string[] | null> => {
    const response = await request('/v2/pools', { signal: AbortSignal.timeout(answerWithinMs) });
    const parsed = v.safeParse(poolsSchema, parseJson(await read(response)));
    return parsed.success ? parsed.output.pools.map((pool) => pool.pool_id) : null;
  };
  const refused = async (path: string, status: number, text: string): Promise<CliError> => {
    const parsed = v.safeParse(problemSchema, parseJson(text));
    if (status === 401) return new CliError(unauthorized(token !== null), exitCodes.failed);
    if (!parsed.success) return new CliError(`${url}${path} answered ${status}; is this pool-managerd?`, exitCodes.failed);
    if (parsed.output.code !== 'POOL_NOT_FOUND') return new CliError(`${parsed.output.code}: ${parsed.output.message}`, exitCodes.failed);
    const ids = await knownPools();
    const others = ids === null ? '' : ids.length === 0 ? '; no pool is declared' : `; known pools: ${ids.join(', ')}`;
    return new CliError(`${parsed.output.message}${others}`, exitCodes.failed);
  };
  const exchange = async <S extends Schema>(path: string, init: FetchInit, schema: S): Promise<v.InferOutput<S>> => {
    const response = await request(path, { ...init, signal: AbortSignal.timeout(answerWithinMs) });
    const text = await read(response);
    if (!response.ok) throw await refused(path, response.status, text);
    const parsed = v.safeParse(schema, parseJson(text));
    if (parsed.success) return parsed.output;
    const [issue] = parsed.issues;
    throw new CliError(
      `${url}${path} answered something unexpected (${v.getDotPath(issue) ?? 'body'}: ${issue.message}); is this pool-managerd, of this version?`,
      exitCodes.failed,
    );
  };
  return {
    url,
    get: (path, schema) => exchange(path, {}, schema),
    send: (method, path, body, schema) =>
      exchange(path, { method, ...(body === null ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) }, schema),
    stream: async (path, lastEventId, signal) => {
      const connecting = new AbortController();
      const timer = setTimeout(() => connecting.abort(new DOMException('no answer', 'TimeoutError')), answerWithinMs);
      const headers = { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) };
      try {
        const response = await request(path, { headers, signal: AbortSignal.any([signal, connecting.signal]) });
        if (!response.ok || response.body === null) throw await refused(path, response.status, await read(response));
        return response.body;
      } finally {
        clearTimeout(timer);
      }
    },
  };
};

const unauthorized = (sent: boolean): string =>
  sent
    ? 'the daemon does not accept this token; use the one it was started with (--token-file, LLORCH_API_TOKEN or LLORCH_API_TOKEN_FILE)'
    : 'the daemon wants a token; give it with --token-file FILE, LLORCH_API_TOKEN or LLORCH_API_TOKEN_FILE';

const notReached = (url: string, thrown: unknown): CliError => {
  const reason = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (reason.name === 'TimeoutError') {
    return new CliError(`pool-managerd at ${url} gave no answer within ${answerWithinMs / 1000} s`, exitCodes.unreachable);
  }
  const why = reason.cause instanceof Error ? reason.cause.message || ('code' in reason.cause ? String(reason.cause.code) : '') : reason.message;
  return new CliError(
    `pool-managerd is not to be reached at ${url} (${why}); start it with "pool-managerd serve" or name another address with --url`,
    exitCodes.unreachable,
  );
};

/** Undefined for anything that is no JSON: no schema accepts it. */
const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
