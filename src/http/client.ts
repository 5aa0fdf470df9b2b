/** The API as typed functions, for programs that share this code base. Types only: nothing of the server is loaded. */
import { hc } from 'hono/client';
import type { AppType } from './app.ts';

/** `url` without a path, as `http://127.0.0.1:9200`; `token` null where none is set. */
export const createClient = (url: string, token: string | null) =>
  hc<AppType>(url, token === null ? {} : { headers: { authorization: `Bearer ${token}` } });

export type Client = ReturnType<typeof createClient>;
