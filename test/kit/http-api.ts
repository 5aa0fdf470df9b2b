/** The API of a fake node, listening on a port of its own, and ways to speak to it: fetch, raw sockets, event streams. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createApp } from '../../src/http/app.ts';
import { handshakeMs, serverLimits } from '../../src/http/limits.ts';
import type { HttpLogger, ParsePoolSpec, ServerTls } from '../../src/http/ports.ts';
import { type ServerLimits, serve } from '../../src/http/serve.ts';
import type { StreamLimits } from '../../src/http/streams.ts';
import { createFakeInspect, createFakeJournal, createFakeLogs, fakeMetrics } from './fake-history.ts';
import { createFakeNode } from './fake-node-port.ts';
import { until } from './until.ts';

export interface HttpApiOptions {
  readonly token?: () => string | null;
  readonly loopback?: boolean;
  readonly allowedHosts?: readonly string[];
  readonly parsePoolSpec?: ParsePoolSpec;
  readonly streamLimits?: StreamLimits;
  readonly serverLimits?: ServerLimits;
  readonly tls?: ServerTls;
  readonly handshakeMs?: number;
}

export interface LogEntry {
  readonly level: keyof HttpLogger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

const refuseAllSpecs: ParsePoolSpec = (value) => ({ ok: false, mistakes: [{ key: 'engine', value, expected: 'an engine' }] });

export const startHttpApi = async (options: HttpApiOptions = {}) => {
  const node = createFakeNode();
  const journal = createFakeJournal();
  const logs = createFakeLogs();
  const inspect = createFakeInspect();
  const log: LogEntry[] = [];
  const write = (level: keyof HttpLogger) => (fields: object, message: string) => {
    log.push({ level, fields: { ...fields }, message });
  };
  const app = createApp({
    node,
    journal,
    logs,
    metrics: fakeMetrics,
    inspect,
    parsePoolSpec: options.parsePoolSpec ?? refuseAllSpecs,
    auth: {
      token: options.token ?? (() => null),
      bind: { host: '127.0.0.1', port: 0, loopback: options.loopback ?? true },
      allowedHosts: options.allowedHosts ?? [],
    },
    logger: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    ...(options.streamLimits !== undefined && { streamLimits: options.streamLimits }),
  });
  const listening = await serve(
    app,
    { host: '127.0.0.1', port: 0 },
    options.serverLimits ?? serverLimits,
    options.tls === undefined ? null : { ...options.tls, handshakeMs: options.handshakeMs ?? handshakeMs },
  );
  const { port } = listening;
  const url = `${listening.secure ? 'https' : 'http'}://127.0.0.1:${port}`;
  return {
    app,
    node,
    journal,
    logs,
    inspect,
    log,
    url,
    port,
    listening,
    close: () => listening.close(50),
    fetch: (path: string, init?: RequestInit) => fetch(url + path, init),
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }),
  };
};

export type HttpApi = Awaited<ReturnType<typeof startHttpApi>>;

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export const openSocket = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
};

/** Writes bytes as they are and reads until the other side closes. Null: it closed without a word. */
export const exchangeRaw = async (port: number, request: string): Promise<RawAnswer | null> => {
  const socket = await openSocket(port);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(request);
  await until('the server to close the connection', () => socket.closed);
  return parseAnswer(Buffer.concat(chunks).toString('utf8'));
};

export const parseAnswer = (text: string): RawAnswer | null => {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
  return { status: Number(statusLine.split(' ')[1]), headers, body: text.slice(end + 4) };
};

/** Reads server-sent events into a list until it is told to stop. */
export const readEvents = async (api: HttpApi, path: string, headers: Record<string, string> = {}) => {
  const abort = new AbortController();
  const response = await api.fetch(path, { headers, signal: abort.signal });
  const events: { id: string | null; event: string | null; data: unknown }[] = [];
  let raw = '';
  let ended = false;
  const reading = (async () => {
    if (response.body === null) return;
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      raw += decoder.decode(chunk, { stream: true });
      const blocks = raw.split('\n\n');
      raw = blocks.pop() ?? '';
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: ([^\\n]*)$`, 'm').exec(block)?.[1] ?? null;
        const data = field('data');
        if (data !== null) events.push({ id: field('id'), event: field('event'), data: JSON.parse(data) });
        else if (block.startsWith(':')) events.push({ id: null, event: 'comment', data: block });
      }
    }
  })()
    .catch((thrown: unknown) => {
      if (!abort.signal.aborted) throw thrown;
    })
    .finally(() => {
      ended = true;
    });
  return {
    response,
    events,
    isEnded: () => ended,
    stop: async () => {
      abort.abort();
      await reading;
    },
  };
};
