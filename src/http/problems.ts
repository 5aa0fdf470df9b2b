/**
 * Everything that can go wrong in an answer: one table of codes, one shape, one way to say it.
 *
 * Handlers throw a Problem; the app turns it into an answer. What is thrown and is no Problem becomes INTERNAL, without its
 * insides.
 */
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { answer } from './answers.ts';

const rows = {
  INVALID_PARAMS: { status: 400, retryable: false },
  UNAUTHORIZED: { status: 401, retryable: false },
  FORBIDDEN_ORIGIN: { status: 403, retryable: false },
  POOL_NOT_FOUND: { status: 404, retryable: false },
  NODE_NOT_FOUND: { status: 404, retryable: false },
  NOT_FOUND: { status: 404, retryable: false },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false },
  POOL_EXISTS: { status: 409, retryable: false },
  ILLEGAL_TRANSITION: { status: 409, retryable: false },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false },
  MISDIRECTED: { status: 421, retryable: false },
  TOO_MANY_REQUESTS: { status: 429, retryable: true },
  INTERNAL: { status: 500, retryable: false },
  ORCHESTRATOR_UNREACHABLE: { status: 502, retryable: true },
  POOL_UNAVAILABLE: { status: 503, retryable: true },
} as const satisfies Record<string, { readonly status: ContentfulStatusCode; readonly retryable: boolean }>;

export type ProblemCode = keyof typeof rows;

export const problemCodes = Object.keys(rows).filter((code): code is ProblemCode => code in rows);

export const statusOf = (code: ProblemCode): ContentfulStatusCode => rows[code].status;

export interface ProblemBody {
  readonly code: ProblemCode;
  readonly message: string;
  readonly retryable: boolean;
  /** Milliseconds; also as the header Retry-After, in whole seconds. */
  readonly retry_after_ms?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface ProblemExtras {
  /** Instead of the code's own. */
  readonly status?: ContentfulStatusCode;
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(code: ProblemCode, message: string, extras: ProblemExtras = {}) {
    super(message);
    this.code = code;
    this.extras = extras;
  }
}

export const problemBody = ({ code, message, extras: { retryAfterMs, details } }: Problem): ProblemBody => ({
  code,
  message,
  retryable: rows[code].retryable,
  ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
  ...(details !== undefined && { details }),
});

export const answerProblem = (to: { readonly correlationId: string }, problem: Problem): Response =>
  answer(to, problemBody(problem), problem.extras.status ?? rows[problem.code].status, {
    ...(problem.extras.retryAfterMs !== undefined && { 'Retry-After': retryAfterSeconds(problem.extras.retryAfterMs) }),
    ...problem.extras.headers,
  });

/** The header has whole seconds; never 0, which would mean "now". */
export const retryAfterSeconds = (ms: number): string => String(Math.max(1, Math.ceil(ms / 1000)));

export const internalProblem = (correlationId: string): Problem =>
  new Problem('INTERNAL', `pool-managerd failed at this request; its log says more under correlation_id ${correlationId}`);

export const methodNotAllowed = (method: string, path: string, allowed: readonly string[]): Problem =>
  new Problem('METHOD_NOT_ALLOWED', `${path} answers ${allowed.join(', ')}, not ${method}`, { headers: { Allow: allowed.join(', ') } });

export const tooLarge = (mostBytes: number): Problem =>
  new Problem('PAYLOAD_TOO_LARGE', `expected a body of at most ${mostBytes} bytes, found more; send less`, { details: { max_bytes: mostBytes } });

/** `Found` is shortened: it came from outside. */
export const shown = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
