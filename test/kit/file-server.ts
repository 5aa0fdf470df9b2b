/**
 * A file server with faults by script: each request to a path is answered by the next word of its script, the last one for ever.
 * What was asked is remembered.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'vitest';

export type Turn =
  /** As a good server would, by Range and If-Range. */
  | { readonly kind: 'serve' }
  /** As above, and the connection is cut after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Nothing comes after so many bytes; `everyMs`: a byte each time. */
  | { readonly kind: 'stall'; readonly afterBytes: number; readonly everyMs?: number }
  /** As a good server would, so much on each connection. */
  | { readonly kind: 'limited'; readonly bytesPerMs: number }
  /** A range that was not asked for. */
  | { readonly kind: 'wrong_range' }
  /** The whole file, whatever range was asked for. */
  | { readonly kind: 'ignore_range' }
  /** A body without end, in chunks. */
  | { readonly kind: 'endless' }
  /** The file without its length. */
  | { readonly kind: 'chunked' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'redirect'; readonly to: string }
  /** From here on another content, and then served. */
  | { readonly kind: 'become'; readonly content: Buffer };

export interface ServedFile {
  readonly content: Buffer;
  readonly script?: readonly Turn[];
  /** Null: none is sent. Default: from the content. */
  readonly etag?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly ifRange: string | null;
  readonly authorization: string | null;
  readonly acceptEncoding: string | null;
}

export interface FileServer {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Bytes of bodies that were sent. */
  sentBytes(): number;
  put(path: string, file: ServedFile): string;
  /** Answers what no file is at; true: it did. */
  otherwise(answer: (request: IncomingMessage, response: ServerResponse) => boolean): void;
  close(): Promise<void>;
}

export const fileServer = async ({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): Promise<FileServer> => {
  const server = await openFileServer();
  onTestFinished(() => server.close());
  return server;
};

export const openFileServer = async (): Promise<FileServer> => {
  const files = new Map<string, { file: ServedFile; turns: Turn[] }>();
  const asked: Asked[] = [];
  let sent = 0;
  let fallback: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  const timers = new Set<NodeJS.Timeout>();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    const header = (name: string): string | null => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : null;
    };
    asked.push({
      method: request.method ?? '',
      path,
      range: header('range'),
      ifRange: header('if-range'),
      authorization: header('authorization'),
      acceptEncoding: header('accept-encoding'),
    });
    const served = files.get(path);
    if (served === undefined) {
      if (!fallback(request, response)) response.writeHead(404).end('not here');
      return;
    }
    const turn = (served.turns.length > 1 ? served.turns.shift() : served.turns[0]) ?? { kind: 'serve' };
    if (turn.kind === 'become') served.file = { ...served.file, content: turn.content };
    take(turn, served.file, request, response);
  });
  const write = (response: ServerResponse, bytes: Buffer): void => {
    sent += bytes.length;
    response.write(bytes);
  };

  const take = (turn: Turn, file: ServedFile, request: IncomingMessage, response: ServerResponse): void => {
    const { content } = file;
    const etag = file.etag === undefined ? etagOf(content) : file.etag;
    const common = { ...(etag === null ? {} : { etag }), ...file.headers };
    switch (turn.kind) {
      case 'status':
        response.writeHead(turn.status, turn.headers).end('no');
        return;
      case 'redirect':
        response.writeHead(302, { location: turn.to }).end();
        return;
      case 'endless': {
        response.writeHead(200, common);
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
        };
        response.on('drain', more);
        more();
        return;
      }
      case 'chunked':
        response.writeHead(200, common);
        write(response, content);
        response.end();
        return;
    }
    const from = turn.kind === 'ignore_range' ? 0 : rangeStart(request, etag);
    if (from >= content.length && from > 0) {
      response.writeHead(416, { ...common, 'content-range': `bytes */${content.length}` }).end();
      return;
    }
    const at = turn.kind === 'wrong_range' && from > 0 ? from + 1 : from;
    const end = turn.kind === 'ignore_range' ? content.length : Math.min(content.length, rangeEnd(request) ?? content.length);
    const body = content.subarray(at, end);
    const isPartial = from > 0 || end < content.length;
    const partial = isPartial ? { 'content-range': `bytes ${at}-${end - 1}/${content.length}` } : {};
    response.writeHead(isPartial ? 206 : 200, { ...common, ...partial, 'accept-ranges': 'bytes', 'content-length': body.length });
    if (turn.kind === 'limited') {
      drip(response, body, limitedEveryMs, turn.bytesPerMs * limitedEveryMs);
      return;
    }
    if (turn.kind === 'cut') {
      write(response, body.subarray(0, turn.afterBytes));
      response.write('', () => setImmediate(() => response.destroy()));
      return;
    }
    if (turn.kind === 'stall') {
      write(response, body.subarray(0, turn.afterBytes));
      drip(response, body.subarray(turn.afterBytes), turn.everyMs);
      return;
    }
    write(response, body);
    response.end();
  };

  const drip = (response: ServerResponse, rest: Buffer, everyMs: number | undefined, bytes = 1): void => {
    if (everyMs === undefined) return;
    let at = 0;
    const timer = setInterval(() => {
      if (response.destroyed || (bytes > 1 && at >= rest.length)) {
        clearInterval(timer);
        timers.delete(timer);
        response.end();
      } else if (at < rest.length) {
        write(response, rest.subarray(at, at + bytes));
        at += bytes;
      }
    }, everyMs);
    timers.add(timer);
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    asked,
    sentBytes: () => sent,
    put: (path, file) => {
      files.set(path, { file, turns: [...(file.script ?? [])] });
      return `${url}${path}`;
    },
    otherwise: (answer) => {
      fallback = answer;
    },
    close: async () => {
      for (const timer of timers) clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export const etagOf = (content: Buffer): string => `"${sha256Of(content).slice(0, 16)}"`;

export const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** Of a range that may be served: If-Range names this very content, or is not there. */
const rangeStart = ({ headers }: IncomingMessage, etag: string | null): number => {
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && ifRange !== etag) return 0;
  return Number(/^bytes=(\d+)-\d*$/.exec(headers.range ?? '')?.[1] ?? 0);
};

/** Behind the last byte; null: to the end. */
const rangeEnd = ({ headers }: IncomingMessage): number | null => {
  const last = /^bytes=\d+-(\d+)$/.exec(headers.range ?? '')?.[1];
  return last === undefined ? null : Number(last) + 1;
};

const limitedEveryMs = 10;
