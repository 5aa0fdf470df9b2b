/**
 * One HTTP request to an engine, with its own deadline and a bounded answer. Never rejects, never tries again.
 *
 * An engine may be anybody's process: no redirects, no kept connections, no decompression, no resolver for literal
 * addresses, and a cap on what is read.
 */
import { request } from 'node:http';
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

const mostBytes = 256 * 1024;
const mostHeaderBytes = 16 * 1024;

/** `endpoint`: `http://host:port`. */
export const askEngine = (endpoint: string, ask: Ask, options: AskOptions): Promise<Asked> =>
  exchangeWith(endpoint, ask, options).catch((thrown: unknown) => ({
    kind: 'error',
    message: thrown instanceof Error ? thrown.message : String(thrown),
  }));

/** Rejects only where Node will not make such a request at all. */
const exchangeWith = (endpoint: string, ask: Ask, options: AskOptions): Promise<Asked> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(endpoint);
    const most = options.maxBytes ?? mostBytes;
    const exchange = request({
      agent: false,
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 80 : Number(port),
      method: ask.method,
      path: ask.path,
      headers: headersOf(ask, options.apiKey ?? null),
      maxHeaderSize: mostHeaderBytes,
    });
    const settle = (asked: Asked): void => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', giveUp);
      resolve(asked);
      exchange.destroy();
    };
    const timer = setTimeout(() => settle({ kind: 'timeout' }), options.deadlineMs);
    const giveUp = (): void => settle({ kind: 'error', message: 'given up, since it is no longer needed' });
    exchange.on('error', (error) => settle(explain(error)));
    exchange.on('response', (response) => {
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
    if (options.signal?.aborted === true) giveUp();
    options.signal?.addEventListener('abort', giveUp, { once: true });
    exchange.end(ask.body);
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
