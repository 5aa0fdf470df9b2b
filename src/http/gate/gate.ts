/**
 * What every request passes before it reaches a route, in this order: target, Host, Origin, credentials, declared length.
 * Afterwards its access line is written.
 *
 * One function in front of the router instead of a chain of middleware: routes that answer at once stay synchronous, and
 * every header is known when the response is made.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from '../env.ts';
import { longestBody } from '../limits.ts';
import type { HttpLogger, RequestTracer } from '../ports.ts';
import { answerProblem, Problem, shown, tooLarge } from '../problems.ts';
import { correlationIdOf } from './correlation.ts';
import { type CheckCredentials, passedWithout } from './credentials.ts';
import type { HostRules } from './hosts.ts';

export interface GateOptions {
  readonly hosts: HostRules;
  readonly credentials: CheckCredentials;
  /** Paths that need no token. */
  readonly isPublic: (path: string) => boolean;
  readonly route: (request: Request, exchange: Exchange) => Response | Promise<Response>;
  readonly logger: HttpLogger | null;
  /** What no log line may show, not even where a caller put it into the path; null: nothing. */
  readonly secret: () => string | null;
  readonly tracer: RequestTracer | null;
}

export type Fetch = (
  request: Request,
  bindings: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
) => Response | Promise<Response>;

export const createGate = (options: GateOptions): Fetch => {
  const { route, logger, secret, tracer } = options;
  const pathIn = (url: string): string => withoutSecret(pathOf(url), secret());
  return (request, { incoming, outgoing }) => {
    const correlationId = correlationIdOf(incoming.headers['x-correlation-id']);
    const exchange = { incoming, outgoing, correlationId };
    const began = performance.now();
    const { method = '', url = '', headers } = incoming;
    const span = tracer?.begin({ method, path: pathIn(url), headers }) ?? null;
    const { problem, fingerprint } = judge(options, incoming);
    const response = problem === null ? route(request, exchange) : answerProblem(exchange, problem);
    if (logger === null && span === null) return response;
    const settle = (settled: Response): Response => {
      span?.end(settled.status);
      if (logger !== null)
        log(logger, exchange, { path: pathIn(url), identity: fingerprint, ...(span !== null && { trace_id: span.traceId }) }, began, settled.status);
      return settled;
    };
    return response instanceof Promise ? response.then(settle) : settle(response);
  };
};

interface Verdict {
  /** Null: it may go on. */
  readonly problem: Problem | null;
  /** Of the token it came with, where that was the right one and one was asked for. */
  readonly fingerprint: string | null;
}

const judge = ({ hosts, credentials, isPublic }: GateOptions, { url = '', headers, socket }: IncomingMessage): Verdict => {
  if (!url.startsWith('/')) return refused(new Problem('INVALID_PARAMS', 'expected a path as the request target, found something else'));
  const { host, origin } = headers;
  if (host === undefined || !hosts.accepts(host)) return refused(misdirected(host));
  if (origin !== undefined && !hosts.acceptsOrigin(origin, host))
    return refused(new Problem('FORBIDDEN_ORIGIN', `pages of ${shown(origin)} may not use this API; only its own dashboard may`));
  const passed = isPublic(pathOf(url)) ? passedWithout : credentials(headers.authorization, socket.remoteAddress ?? 'unknown');
  if (passed instanceof Problem) return refused(passed);
  const declared = headers['content-length'];
  return { problem: declared !== undefined && Number(declared) > longestBody ? tooLarge(longestBody) : null, fingerprint: passed.fingerprint };
};

const refused = (problem: Problem): Verdict => ({ problem, fingerprint: null });

const pathOf = (url: string): string => {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
};

const misdirected = (host: string | undefined): Problem =>
  new Problem(
    'MISDIRECTED',
    `this daemon does not answer for the host ${host === undefined ? '(none given)' : shown(host)}; add it to POOL_MANAGERD_ALLOWED_HOSTS if it is this machine`,
  );

/** Refusals by us are told as warnings, orders as news, reads only to the curious. The query stays out: it may hold anything. */
const log = (
  logger: HttpLogger,
  { incoming, correlationId }: Exchange,
  { path, ...more }: { readonly path: string; readonly identity: string | null; readonly trace_id?: string },
  began: number,
  status: number,
): void => {
  const { method = '' } = incoming;
  const level = levelOf(method, status);
  if (logger.isLevelEnabled?.(level) === false) return;
  const fields = {
    correlation_id: correlationId,
    method,
    path: shown(path),
    status,
    duration_ms: Math.round((performance.now() - began) * 1000) / 1000,
    peer: incoming.socket.remoteAddress ?? null,
    ...more,
  };
  logger[level](fields, level === 'warn' ? 'request refused' : 'request answered');
};

const withoutSecret = (path: string, secret: string | null): string => (secret === null ? path : path.replaceAll(secret, '[redacted]'));

const levelOf = (method: string, status: number): 'debug' | 'info' | 'warn' => {
  if (status === 401 || status === 403 || status === 421 || status === 429) return 'warn';
  return method === 'GET' || method === 'HEAD' ? 'debug' : 'info';
};
