/**
 * Reads a JSON body: counted while it streams, of the right type, parsed once, validated by a schema.
 *
 * As a middleware it brings the schema to the OpenAPI document and to the typed client. An empty body counts as `{}` where
 * the body is optional. Who stops sending is cut off by the server's request timeout.
 */
import type { IncomingMessage } from 'node:http';
import type { MiddlewareHandler } from 'hono';
import { resolver, uniqueSymbol } from 'hono-openapi';
import * as v from 'valibot';
import type { AppEnv } from './env.ts';
import { invalidParams } from './invalid-params.ts';
import { longestBody } from './limits.ts';
import { Problem, shown, tooLarge } from './problems.ts';

type ObjectSchema = v.GenericSchema<Record<string, unknown>>;

type JsonBody<S extends ObjectSchema> = MiddlewareHandler<AppEnv, string, { in: { json: v.InferInput<S> }; out: { json: v.InferOutput<S> } }>;
type OptionalJsonBody<S extends ObjectSchema> = MiddlewareHandler<
  AppEnv,
  string,
  { in: { json?: v.InferInput<S> }; out: { json: v.InferOutput<S> } }
>;

export const jsonBody = <S extends ObjectSchema>(schema: S): JsonBody<S> => bodyOf(schema, false);

/** `{}` and nothing at all mean the same. */
export const optionalJsonBody = <S extends ObjectSchema>(schema: S): OptionalJsonBody<S> => bodyOf(schema, true);

const bodyOf = <S extends ObjectSchema>(schema: S, optional: boolean): JsonBody<S> => {
  const read: JsonBody<S> = async (c, next) => {
    const parsed = v.safeParse(schema, await readJson(c.env.incoming, optional));
    if (!parsed.success) throw invalidParams('body', parsed.issues);
    c.req.addValidatedData('json', parsed.output);
    await next();
  };
  const requestBody = { required: !optional, content: { 'application/json': { schema: resolver(schema) } } };
  return Object.assign(read, { [uniqueSymbol]: { spec: { requestBody } } });
};

const readJson = async (incoming: IncomingMessage, optional: boolean): Promise<unknown> => {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': chunked } = incoming.headers;
  const announced = chunked !== undefined || (length !== undefined && length !== '0');
  // Before it is read: a body of the wrong type is not worth reading.
  if (announced) expectJson(type, incoming.headers['content-encoding']);
  const bytes = announced ? await readBounded(incoming) : Buffer.alloc(0);
  if (bytes.length === 0) {
    if (optional) return {};
    throw new Problem('INVALID_PARAMS', 'expected a JSON object as the body, found none');
  }
  return parseJson(bytes);
};

const expectJson = (type: string | undefined, encoding: string | undefined): void => {
  if (encoding !== undefined && encoding !== 'identity') {
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', `expected a plain body, found Content-Encoding ${shown(encoding)}; send it uncompressed`);
  }
  if (type === undefined || !/^application\/json *(?:; *charset="?utf-8"? *)?$/i.test(type)) {
    throw new Problem(
      'UNSUPPORTED_MEDIA_TYPE',
      `expected Content-Type application/json in UTF-8, found ${type === undefined ? 'none' : shown(type)}`,
    );
  }
};

const readBounded = (incoming: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (then: () => void): void => {
      incoming.off('data', take).off('end', end).off('error', broken).off('close', broken);
      then();
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= longestBody) chunks.push(chunk);
      else settle(() => reject(tooLarge(longestBody)));
    };
    const end = (): void => settle(() => resolve(Buffer.concat(chunks)));
    const broken = (): void => settle(() => reject(new Problem('INVALID_PARAMS', 'the connection broke before the body was complete')));
    incoming.on('data', take).on('end', end).on('error', broken).on('close', broken);
  });

const utf8 = new TextDecoder('utf-8', { fatal: true });

const parseJson = (bytes: Buffer): unknown => {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (thrown) {
    throw new Problem('INVALID_PARAMS', `expected JSON as the body: ${shown(thrown instanceof Error ? thrown.message : String(thrown))}`);
  }
};
