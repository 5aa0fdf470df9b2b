/**
 * Writes answers: JSON and text with the headers that each of them has.
 *
 * Headers are one plain object, known before the response is made: the Node adapter then hands them to `writeHead` as they
 * are. Headers set afterwards, as middleware does it, would cost a `Headers` object for each request.
 */
import type { TypedResponse } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

interface Correlated {
  readonly correlationId: string;
}

export const answer = <T extends object, S extends ContentfulStatusCode = 200>(
  correlated: Correlated,
  body: T,
  status?: S,
  extra?: Readonly<Record<string, string>>,
): TypedResponse<T, S, 'json'> & Response => answerPrepared<T, S>(correlated, JSON.stringify(body), status, extra);

/** JSON that was made before. `T` is what it says. */
export const answerPrepared = <T extends object, S extends ContentfulStatusCode = 200>(
  { correlationId }: Correlated,
  body: string | Uint8Array<ArrayBuffer>,
  status?: S,
  extra?: Readonly<Record<string, string>>,
): TypedResponse<T, S, 'json'> & Response => {
  const response = new Response(body, {
    status: status ?? 200,
    headers: extra === undefined ? headersOf('application/json', correlationId) : { ...headersOf('application/json', correlationId), ...extra },
  });
  // TypedResponse is a shadow for the typed client: no value has its fields.
  return response as TypedResponse<T, S, 'json'> & Response;
};

/** Text, or a stream of it, of some content type. */
export const answerText = (
  { correlationId }: Correlated,
  body: string | ReadableStream<Uint8Array> | null,
  contentType: string,
  extra: Readonly<Record<string, string>> = {},
): TypedResponse<string, 200, 'text'> & Response =>
  new Response(body, { status: 200, headers: { ...headersOf(contentType, correlationId), ...extra } }) as TypedResponse<string, 200, 'text'> &
    Response;

const headersOf = (contentType: string, correlationId: string) => ({
  'Content-Type': contentType,
  'X-Correlation-Id': correlationId,
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
});
