/**
 * The API of the daemon as typed functions, out of its routes: a path, a query or a body that it does not have, and an answer
 * that is read as something else, do not compile. Types only: nothing of the server is loaded.
 */
import { hc } from 'hono/client';
import type * as v from 'valibot';
import type { AppType } from '../http/app.ts';

export type Client = ReturnType<typeof createClient>;

export type Send = (target: URL, init: RequestInit) => Promise<Response>;

/** `url`: of the daemon. `send` gives every request what all of them have: token, deadline. */
export const createClient = (url: string, send: Send) =>
  hc<AppType>(url, { fetch: (target: string | URL | Request, init: RequestInit = {}) => send(new URL(String(target)), init) });

/** Which route is asked, with what. */
export type Question<Answer = unknown> = (client: Client) => Promise<Answer>;

/** A schema that takes what the route answers; else a type that nothing is. */
export type Reads<S extends v.GenericSchema, Answer> = [JsonIn<Answer>] extends [never]
  ? { readonly 'the API answers no JSON': never }
  : [Plain<JsonIn<Answer>>] extends [Plain<v.InferInput<S>>]
    ? S
    : { readonly 'the API answers otherwise': JsonIn<Answer> };

/** For the place of an id in a path. */
export const withId = (id: string): { readonly param: { readonly id: string } } => ({ param: { id: encodeURIComponent(id) } });

/** Of a route that may also answer a stream, that of the JSON. */
type JsonIn<Answer> = Answer extends { json(): Promise<infer T> } ? T : never;

/** Without what says nothing of JSON: who may write to it, and which names types have. */
type Plain<T> = T extends readonly (infer E)[] ? readonly Plain<E>[] : T extends object ? { readonly [K in keyof T]: Plain<T[K]> } : T;
