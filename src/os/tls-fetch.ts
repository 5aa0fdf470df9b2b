/**
 * `fetch` over TLS with a context of one's own, which Node's fetch cannot be given: an authority that only we trust, a certificate
 * that says who we are.
 *
 * Follows no redirect, keeps no connection, unpacks nothing. Plain http goes to Node's own.
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';

export type Fetch = (url: URL, init: FetchInit) => Promise<Response>;

/** The part of RequestInit that is used here. */
export interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly redirect?: 'manual';
  readonly signal?: AbortSignal;
}

const mostHeaderBytes = 16 * 1024;
/** The Response of fetch may not have a body with these. */
const bodiless = [101, 204, 205, 304];

/** Rejects as fetch does: with the reason of the signal, else a TypeError whose `cause` tells. */
export const createTlsFetch =
  (context: () => SecureContext): Fetch =>
  (url, init) =>
    url.protocol === 'https:' ? exchange(context(), url, init) : fetch(url, { ...init, headers: { ...init.headers } });

const exchange = (secureContext: SecureContext, url: URL, { method = 'GET', headers = {}, body = null, signal }: FetchInit): Promise<Response> =>
  new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const asking = request(url, {
      agent: new Agent({ keepAlive: false, secureContext }),
      method,
      headers: { 'accept-encoding': 'identity', ...headers, ...(body !== null && { 'content-length': Buffer.byteLength(body) }) },
      maxHeaderSize: mostHeaderBytes,
      ...(signal !== undefined && { signal }),
    });
    asking.on('response', (answer) => resolve(responseOf(answer)));
    asking.on('error', (error) => reject(signal?.aborted === true ? signal.reason : new TypeError('fetch failed', { cause: error })));
    asking.end(body);
  });

const responseOf = (answer: IncomingMessage): Response => {
  const status = answer.statusCode ?? 0;
  const headers = new Headers();
  for (let at = 0; at < answer.rawHeaders.length; at += 2) headers.append(answer.rawHeaders[at] ?? '', answer.rawHeaders[at + 1] ?? '');
  if (!bodiless.includes(status)) return new Response(Readable.toWeb(answer), { status, headers });
  answer.resume();
  return new Response(null, { status, headers });
};
