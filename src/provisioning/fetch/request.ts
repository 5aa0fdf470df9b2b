/**
 * One GET that may be redirected. Plain HTTP only where it was asked for, never from HTTPS to HTTP; credentials go to the first
 * host only; nothing is decompressed, so that a byte range is one of the file.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { CauseError } from '../../cause.ts';
import { Interrupted, shownUrl } from './failures.ts';

export interface Got {
  readonly response: IncomingMessage;
  readonly url: string;
}

export interface Asked {
  readonly headers: Readonly<Record<string, string>>;
  /** For the host of the first URL only. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Time to the head of the answer, redirects included. */
  readonly deadlineMs: number;
  /** Nobody wants the answer any more. */
  readonly signal?: AbortSignal;
}

const mostRedirects = 10;
const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** HTTP_PROXY, HTTPS_PROXY and NO_PROXY hold as everywhere. */
const proxied = { proxyEnv: process.env, keepAlive: false };
const agents = { http: new HttpAgent(proxied), https: new HttpsAgent(proxied) };

/** The answer's body is the caller's to read or destroy. Throws Interrupted or CauseError. */
export const get = async (first: string, asked: Asked): Promise<Got> => {
  const inTime = AbortSignal.timeout(asked.deadlineMs);
  const deadline = asked.signal === undefined ? inTime : AbortSignal.any([inTime, asked.signal]);
  let url = new URL(first);
  const origin = url.origin;
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    const headers = { ...asked.headers, ...(url.origin === origin ? asked.credentials : {}) };
    const response = await once(url, headers, deadline, asked.deadlineMs);
    const to = redirects.has(response.statusCode ?? 0) ? response.headers.location : undefined;
    if (to === undefined) return { response, url: url.href };
    response.destroy();
    url = follow(url, to);
  }
  throw new CauseError({
    code: 'download_failed',
    message: `expected ${shownUrl(first)} to lead to a file, found more than ${mostRedirects} redirects`,
  });
};

const follow = (from: URL, location: string): URL => {
  const to = URL.parse(location, from);
  const allowed =
    to !== null && (to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:')) && to.username === '' && to.password === '';
  if (allowed) return to;
  throw new CauseError({
    code: 'download_failed',
    message: `expected ${shownUrl(from)} to redirect to ${from.protocol === 'https:' ? 'https' : 'http or https'}, found ${to === null ? 'no URL' : `${to.protocol}//${to.host}`}`,
  });
};

const once = (url: URL, headers: Readonly<Record<string, string>>, deadline: AbortSignal, deadlineMs: number): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const agent = url.protocol === 'https:' ? agents.https : agents.http;
    const request = send(url, { agent, headers: { ...headers, 'accept-encoding': 'identity', 'user-agent': 'pool-managerd' } });
    const late = (): void => {
      request.destroy();
      reject(new Interrupted('download_stalled', `expected ${shownUrl(url)} to answer within ${deadlineMs} ms, found no answer`));
    };
    if (deadline.aborted) late();
    deadline.addEventListener('abort', late, { once: true });
    request.once('response', (response) => {
      deadline.removeEventListener('abort', late);
      resolve(response);
    });
    request.on('error', (error) => {
      deadline.removeEventListener('abort', late);
      const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
      reject(new Interrupted('download_unreachable', `expected ${shownUrl(url)} to answer, found ${code ?? error.message}`));
    });
    request.end();
  });
