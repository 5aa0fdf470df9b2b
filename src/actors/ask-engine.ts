/**
 * HTTP requests to an engine, one after the other over one connection, each with its own deadline and a bounded answer. Never
 * rejects; asks again only where a connection that was kept had ended.
 *
 * An engine may be anybody's process: no redirects, no connection kept beyond what belongs together, no decompression, no
 * resolver for literal addresses, and a cap on what is read.
 */
import { Agent, request } from 'node:http';
import type { Answer, Ask } from '../engines/adapter.ts';

export interface AskOptions {
  /** Milliseconds for the whole exchange, connecting included. */
  readonly deadlineMs: number;
  readonly apiKey?: string | null;
  /** Of the body; default 256 KiB. More is an error. */
  readonly maxBytes?: number;
  /** Gives the request up; what was asked is then an error. */
  readonly signal?: AbortSignal;
}

export type Asked =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'timeout' }
  /** Nobody listens there. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'error'; readonly message: string };

export interface EngineLine {
  /** One at a time. */
  ask(ask: Ask, options: AskOptions): Promise<Asked>;
}

const mostBytes = 256 * 1024;
const mostHeaderBytes = 16 * 1024;

/**
 * What belongs together goes over one connection, made by the first request and closed when the work is done: a fresh one
 * shows that clients still reach the listener, and one that idles may hold a thread of the engine. Where the server closes
 * after an answer, the next request makes another. `endpoint`: `http://host:port`.
 */
export const overOneLine = async <T>(endpoint: string, work: (line: EngineLine) => Promise<T>): Promise<T> => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    return await work({
      ask: (ask, options) =>
        exchangeWith(endpoint, agent, ask, options).catch((thrown: unknown) => ({
          kind: 'error',
          message: thrown instanceof Error ? thrown.message : String(thrown),
        })),
    });
  } finally {
    agent.destroy();
  }
};

/** Rejects only where Node will not make such a request at all. */
const exchangeWith = (endpoint: string, agent: Agent, ask: Ask, options: AskOptions): Promise<Asked> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(endpoint);
    const most = options.maxBytes ?? mostBytes;
    let settled = false;

    const begin = () => {
      let answering = false;
      const exchange = request({
        agent,
        host: hostname.replace(/^\[|\]$/g, ''),
        port: port === '' ? 80 : Number(port),
        method: ask.method,
        path: ask.path,
        headers: headersOf(ask, options.apiKey ?? null),
        maxHeaderSize: mostHeaderBytes,
      });
      exchange.on('error', (error) => {
        if (settled) return;
        // The server may close a connection at the moment in which it is used again; only a new one tells how the engine is.
        if (exchange.reusedSocket && !answering) current = begin();
        else settle(explain(error));
      });
      exchange.on('response', (response) => {
        answering = true;
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > most) settle({ kind: 'error', message: `expected an answer of at most ${most} bytes, found more` });
          else chunks.push(chunk);
        });
        response.on('error', (error) => settle(explain(error)));
        response.on('end', () =>
          settle({ kind: 'answer', answer: { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') } }),
        );
      });
      exchange.end(ask.body);
      return exchange;
    };
    const settle = (asked: Asked): void => {
      settled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', giveUp);
      resolve(asked);
      // A whole answer leaves the connection to the next request; anything else has spoilt it.
      if (asked.kind !== 'answer') current.destroy();
    };
    const giveUp = (): void => settle({ kind: 'error', message: 'given up, since it is no longer needed' });

    let current = begin();
    const timer = setTimeout(() => settle({ kind: 'timeout' }), options.deadlineMs);
    if (options.signal?.aborted === true) giveUp();
    options.signal?.addEventListener('abort', giveUp, { once: true });
  });

const headersOf = ({ body }: Ask, apiKey: string | null): Record<string, string | number> => ({
  accept: '*/*',
  'accept-encoding': 'identity',
  ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
});

const explain = (error: Error): Asked =>
  'code' in error && error.code === 'ECONNREFUSED'
    ? { kind: 'refused' }
    : { kind: 'error', message: 'code' in error ? `${String(error.code)}: ${error.message}` : error.message };
