/**
 * Listens, plainly or over TLS, and hands what arrives to an app. The limits hold off clients that are slow, long or many.
 *
 * Listens on an address or on a socket that was inherited (systemd). Decides nothing about requests.
 */
import { randomUUID } from 'node:crypto';
import { createServer, IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type Http2Bindings, type HttpBindings, RequestError } from '@hono/node-server';
import type { Served } from './app.ts';
import { handshakeMs, serverLimits } from './limits.ts';
import type { HttpLogger, ServerTls } from './ports.ts';
import { answerProblem, internalProblem, Problem } from './problems.ts';
import { refuseBroken } from './server/refuse-broken.ts';

export type ListenOn = { readonly host: string; readonly port: number } | { readonly fd: number };

export type ServerLimits = { readonly [Key in keyof typeof serverLimits]: number };

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly server: Server;
  readonly secure: boolean;
  /** From the next connection on. Throws where the certificate is not of the key. */
  renew(tls: ServerTls): void;
  /** No new connections, streams end, answers under way have `graceMs` to finish. Twice is once. */
  close(graceMs?: number): Promise<void>;
}

/** Resolves when it listens; rejects with what to do when it cannot. `limits` and `handshakeMs`: other numbers for tests. `tls` null: plain http. */
export const serve = async (
  app: Served,
  on: ListenOn,
  limits: ServerLimits = serverLimits,
  tls: (ServerTls & { readonly handshakeMs?: number }) | null = null,
): Promise<Listening> => {
  const { maxConnections, ...options } = limits;
  const answers = new WeakMap<object, ServerResponse>();
  const listener = requestListener(app);
  const onRequest: RequestListener = (incoming, outgoing) => {
    answers.set(incoming.socket, outgoing);
    void listener(incoming, outgoing);
  };
  const secured =
    tls && createTlsServer({ ...options, ...contextOf(tls), ...clientRules(tls), handshakeTimeout: tls.handshakeMs ?? handshakeMs }, onRequest);
  const server = secured ?? createServer(options, onRequest);
  server.maxConnections = maxConnections;
  // An expectation that we do not know is none.
  server.on('checkExpectation', (incoming, outgoing) => server.emit('request', incoming, outgoing));
  refuseBroken(server, answers, app.logger);
  if (secured !== null) tellHandshakes(secured, app.logger);
  const { address, port } = await listen(server, on);
  let closing: Promise<void> | null = null;
  return {
    host: address,
    port,
    server,
    secure: secured !== null,
    renew: (renewed) => secured?.setSecureContext(contextOf(renewed)),
    close: (graceMs = 2000) => {
      closing ??= close(server, app, graceMs);
      return closing;
    },
  };
};

const contextOf = ({ cert, key, clientCa }: ServerTls) => ({ minVersion: 'TLSv1.2' as const, cert, key, ...(clientCa !== null && { ca: clientCa }) });

const clientRules = ({ clientCa }: ServerTls) => ({ requestCert: clientCa !== null, rejectUnauthorized: clientCa !== null });

/** Whoever speaks plain http to this port, or shows no certificate, is not told anything; who looks at the log is. */
const tellHandshakes = (server: TlsServer, logger: HttpLogger | null): void => {
  server.on('tlsClientError', (error, socket) => {
    logger?.debug({ peer: socket.remoteAddress ?? null, last_error: error.message }, 'not a TLS client');
    socket.destroy();
  });
};

const requestListener = (app: Served) =>
  getRequestListener((request, bindings) => app.fetch(request, http1(bindings)), {
    // HTTP/1.0 knows no Host; the gate refuses that, the adapter need not.
    hostname: 'localhost',
    errorHandler: (thrown) => {
      const correlationId = randomUUID();
      if (thrown instanceof RequestError) {
        return answerProblem({ correlationId }, new Problem('INVALID_PARAMS', `expected a valid Host and path: ${thrown.message}`));
      }
      app.logger?.error({ correlation_id: correlationId, err: thrown }, 'request failed');
      return answerProblem({ correlationId }, internalProblem(correlationId));
    },
  });

/** The adapter's types allow HTTP/2; the server above speaks none. */
const http1 = ({ incoming, outgoing }: HttpBindings | Http2Bindings): HttpBindings => {
  if (incoming instanceof IncomingMessage && outgoing instanceof ServerResponse) return { incoming, outgoing };
  throw new Error('expected an HTTP/1.1 request from an HTTP/1.1 server');
};

const listen = (server: Server, on: ListenOn): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => reject(new Error(cannotListen(on, error), { cause: error }));
    server.once('error', refused);
    server.listen(on, () => {
      server.off('error', refused);
      const address = server.address();
      if (address !== null && typeof address === 'object') resolve(address);
      else reject(new Error(`expected to listen on a TCP port, found ${address ?? 'nothing'}; pass a TCP socket`));
    });
  });

const cannotListen = (on: ListenOn, error: NodeJS.ErrnoException): string => {
  const where = 'fd' in on ? `the inherited socket ${on.fd}` : `${on.host}:${on.port}`;
  if (error.code === 'EADDRINUSE') return `cannot listen on ${where}: another process does; stop it or set another address and port`;
  return `cannot listen on ${where}: ${error.message}`;
};

const close = async (server: Server, app: Served, graceMs: number): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  app.endStreams();
  // A connection that is kept alive becomes idle only after its answer.
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const grace = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(idle);
  clearTimeout(grace);
};
