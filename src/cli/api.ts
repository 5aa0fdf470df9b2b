/**
 * Speaks HTTP to a running daemon. Every failure becomes a CliError that says what to do; every call has a deadline and a
 * bounded answer. Knows no commands and prints nothing.
 */
import * as v from 'valibot';
import { readBounded } from '../read-bounded.ts';
import { poolsSchema, problemSchema } from './answers.ts';
import { createClient, type Question, type Reads } from './client.ts';
import type { Connection } from './connection.ts';
import { CliError, exitCodes } from './exit.ts';
import { inOwnWords } from './own-words.ts';

export interface Asked<Answer> {
  /** `schema` must take what the route answers by its type, and is what the answer is checked by. */
  readonly read: <S extends v.GenericSchema>(schema: S & Reads<S, Answer>) => Promise<v.InferOutput<S>>;
}

export interface Api {
  readonly url: string;
  /** Nothing is sent before it is said how the answer is read. */
  readonly ask: <Answer>(question: Question<Answer>) => Asked<Answer>;
  /** An open stream of server-sent events; `lastEventId` null: from the beginning of what the route offers. */
  readonly stream: (question: Question, lastEventId: string | null, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
}

const answerWithinMs = 10_000;
const longestAnswerBytes = 64 * 1024 * 1024;

export const createApi = ({ url, token, fetch }: Connection): Api => {
  const { origin } = new URL(url);
  const auth: Readonly<Record<string, string>> = token === null ? {} : { authorization: `Bearer ${token}` };
  /** Where it went and what came; redirects are not followed. */
  const request = async (question: Question, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Received> => {
    let received: Received | null = null;
    const client = createClient(url, async (target, { method = 'GET', headers: given, body }) => {
      const response = await fetch(target, {
        method,
        redirect: 'manual',
        headers: { ...Object.fromEntries(new Headers(given)), ...auth, ...headers },
        ...(typeof body === 'string' && { body }),
        signal,
      });
      received = { path: `${target.pathname}${target.search}`, response };
      return response;
    });
    try {
      await question(client);
    } catch (thrown) {
      throw notReached(url, thrown);
    }
    if (received === null) throw new TypeError('expected a question to ask the client it is given, found that it did not');
    return received;
  };
  const read = async (response: Response): Promise<string> => {
    try {
      return await readBounded(response, longestAnswerBytes);
    } catch (thrown) {
      throw notReached(url, thrown);
    }
  };
  const inTime = (): AbortSignal => AbortSignal.timeout(answerWithinMs);
  const knownPools = async (): Promise<readonly string[] | null> => {
    const { response } = await request((client) => client.v2.pools.$get(), wantsJson, inTime());
    const parsed = v.safeParse(poolsSchema, parseJson(await read(response)));
    return parsed.success ? parsed.output.pools.map((pool) => pool.pool_id) : null;
  };
  const refused = async ({ path, response: { status } }: Received, text: string): Promise<CliError> => {
    const parsed = v.safeParse(problemSchema, parseJson(text));
    if (status === 401) return new CliError(unauthorized(token !== null), exitCodes.failed);
    if (!parsed.success) return new CliError(`${origin}${path} answered ${status}; is this pool-managerd?`, exitCodes.failed);
    if (parsed.output.code !== 'POOL_NOT_FOUND') return new CliError(`${parsed.output.code}: ${inOwnWords(parsed.output.message)}`, exitCodes.failed);
    const ids = await knownPools();
    const others = ids === null ? '' : ids.length === 0 ? '; no pool is declared' : `; known pools: ${ids.join(', ')}`;
    return new CliError(`${parsed.output.message}${others}`, exitCodes.failed);
  };
  return {
    url,
    ask: (question) => ({
      read: async (schema) => {
        const received = await request(question, wantsJson, inTime());
        const text = await read(received.response);
        if (!received.response.ok) throw await refused(received, text);
        const parsed = v.safeParse(schema, parseJson(text));
        if (parsed.success) return parsed.output;
        const [issue] = parsed.issues;
        throw new CliError(
          `${origin}${received.path} answered something unexpected (${v.getDotPath(issue) ?? 'body'}: ${issue.message}); is this pool-managerd, of this version?`,
          exitCodes.failed,
        );
      },
    }),
    stream: async (question, lastEventId, signal) => {
      const connecting = new AbortController();
      const timer = setTimeout(() => connecting.abort(new DOMException('no answer', 'TimeoutError')), answerWithinMs);
      const headers = { accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) };
      try {
        const received = await request(question, headers, AbortSignal.any([signal, connecting.signal]));
        const { response } = received;
        if (!response.ok || response.body === null) throw await refused(received, await read(response));
        return response.body;
      } finally {
        clearTimeout(timer);
      }
    },
  };
};

interface Received {
  /** With the query. */
  readonly path: string;
  readonly response: Response;
}

const wantsJson = { accept: 'application/json' };

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
