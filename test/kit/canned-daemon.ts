/** A real HTTP server that answers as a test tells it: the daemon as the commands see it. */
import { createServer, type ServerResponse } from 'node:http';

export interface CannedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** `{status, body}`; a function writes the response by itself, as for streams. */
export type Canned = { readonly status?: number; readonly body?: unknown } | ((response: ServerResponse, request: CannedRequest) => void);

export interface CannedDaemon {
  readonly url: string;
  /** `GET /v2/pools` → answer. What has none is a 404 of the daemon's shape. */
  readonly answers: Record<string, Canned | ((request: CannedRequest) => Canned)>;
  readonly requests: readonly CannedRequest[];
  readonly cutAll: () => void;
  readonly close: () => Promise<void>;
}

const isStream = (canned: Canned): canned is Extract<Canned, (...args: never) => void> => typeof canned === 'function';

export const startCannedDaemon = async (answers: Record<string, Canned>): Promise<CannedDaemon> => {
  const requests: CannedRequest[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://canned');
      const request: CannedRequest = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      const canned = answers[`${request.method} ${request.path}`];
      if (canned === undefined) return json(response, 404, { code: 'NOT_FOUND', message: `no route ${request.path}`, retryable: false });
      if (isStream(canned)) return canned(response, request);
      json(response, canned.status ?? 200, canned.body ?? {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    answers,
    requests,
    cutAll: () => server.closeAllConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};
