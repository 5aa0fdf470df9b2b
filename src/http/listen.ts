/** Opens the API and, beside it, the port for Prometheus: both or neither, and nothing that everybody reaches without a token. */
import { isLoopbackHost } from '../loopback.ts';
import type { Served } from './app.ts';
import { serverLimits } from './limits.ts';
import type { AuthOptions, ServerTls } from './ports.ts';
import { type Listening, type ListenOn, serve } from './serve.ts';

export interface ListenOptions {
  readonly api: Served;
  /** An inherited socket's address is judged like any other. */
  readonly on: ListenOn;
  readonly auth: Pick<AuthOptions, 'token'>;
  /** Of the API; null: plain http. Metrics on their own port are plain. */
  readonly tls: ServerTls | null;
  readonly metrics: { readonly app: Served; readonly on: { readonly host: string; readonly port: number } } | null;
}

export interface Listeners {
  readonly api: Listening;
  readonly metrics: Listening | null;
  close(): Promise<void>;
}

const closeGraceMs = 1_000;

/** Rejects with what to do; nothing listens then. */
export const listenAll = async ({ api, on, auth, tls, metrics }: ListenOptions): Promise<Listeners> => {
  const open: Listening[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(open.map((one) => one.close(closeGraceMs)));
  };
  const listen = async (app: Served, where: ListenOn, secured: ServerTls | null): Promise<Listening> => {
    const one = await serve(app, where, serverLimits, secured);
    open.push(one);
    return one;
  };
  try {
    const own = await listen(api, on, tls);
    if (!isLoopbackHost(own.host) && auth.token() === null) throw new Error(openToAll(own.host));
    return { api: own, metrics: metrics && (await listen(metrics.app, metrics.on, null)), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
};

export const urlOf = ({ host, port, secure }: Listening): string =>
  `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;

const openToAll = (host: string): string =>
  `${host} is reached from other machines and no token is set: set LLORCH_API_TOKEN_FILE (a token of at least 16 characters), or listen on 127.0.0.1`;
