/**
 * A stand-in for orchestratord, for the demo and for tests: its node routes over real HTTP, with its real behaviour, and
 * faults on request. It dispatches nothing and stores nothing.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { assertNever } from '../cause.ts';
import { createNodeRegister, type NodeHappening, type NodeListener, type NodeRecord } from './orchestrator-nodes.ts';
import { heartbeatRequest, refusalText, registerRequest } from './orchestrator-rules.ts';

export interface StandInOptions {
  readonly host?: string;
  /** 0 or absent: any free one. */
  readonly port?: number;
  /** Bearer token it expects; null or absent: none. */
  readonly token?: string | null;
  readonly offlineAfterMs?: number;
  readonly nextHeartbeatMs?: number;
}

/** What it does to calls instead of answering them properly. */
export type StandInFault =
  /** Answers with this status; `body` as it is. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** Does what was asked and answers 200 with this body. */
  | { readonly kind: 'lie'; readonly body: string }
  /** Does what was asked and answers after this time. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Takes the call and never answers. */
  | { readonly kind: 'hang' }
  /** Closes the connection. */
  | { readonly kind: 'cut' };

export interface StandInRequest {
  readonly method: string;
  readonly path: string;
  readonly at: number;
  readonly authorized: boolean;
}

export interface OrchestratorStandIn {
  /** Base URL, the same after `down` and `up`. */
  readonly url: string;
  readonly nodes: () => readonly NodeRecord[];
  readonly node: (nodeId: string) => NodeRecord | null;
  /** Latest calls, oldest first, at most 1000. */
  readonly requests: () => readonly StandInRequest[];
  /** Returns the way to stop listening. */
  readonly on: (happening: NodeHappening, listener: NodeListener) => () => void;
  /** Every call from now on meets this fault, or only the next `times`; null heals. */
  readonly fail: (fault: StandInFault | null, times?: number) => void;
  readonly forget: () => void;
  /** Stops listening; connections are refused. */
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly type?: 'application/json' | 'text/plain; charset=utf-8';
  readonly body?: string;
}

const longestBodyBytes = 1024 * 1024;
const keptRequests = 1_000;

/** The 503 of an orchestratord that runs without multi-node. */
export const multiNodeOff: StandInFault = { kind: 'status', status: 503, body: '{"success":false,"message":"multi-node is not enabled"}' };

export const startOrchestratorStandIn = async (options: StandInOptions = {}): Promise<OrchestratorStandIn> => {
  const { host = '127.0.0.1', token = null, offlineAfterMs = 30_000, nextHeartbeatMs = 10_000 } = options;
  const register = createNodeRegister(offlineAfterMs);
  const requests: StandInRequest[] = [];
  let fault: { readonly what: StandInFault; left: number } | null = null;
  let port = options.port ?? 0;

  const takeFault = (): StandInFault | null => {
    if (fault === null || fault.left <= 0) return null;
    fault.left -= 1;
    return fault.what;
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const authorized = token === null || request.headers.authorization === `Bearer ${token}`;
    requests.push({ method: request.method ?? '', path, at: Date.now(), authorized });
    if (requests.length > keptRequests) requests.shift();
    const text = await readBody(request);
    const answer = (): Reply =>
      text === null ? plain(413, 'length limit exceeded') : authorized ? route(request.method ?? '', path, text) : { status: 401 };
    await meet(takeFault(), answer, response);
  };

  const route = (method: string, path: string, text: string): Reply => {
    if (method === 'POST' && path === '/v2/nodes/register') return onRegister(text);
    const [, encoded, beat] = /^\/v2\/nodes\/([^/]+)(\/heartbeat)?$/.exec(path) ?? [];
    if (encoded === undefined) return { status: 404 };
    const nodeId = decode(encoded);
    if (method === 'POST' && beat !== undefined) return onHeartbeat(nodeId, text);
    if (method !== 'DELETE' || beat !== undefined) return { status: 405 };
    return register.deregister(nodeId) ? { status: 204 } : json(404, { success: false, message: `node ${nodeId} not found` });
  };

  const onRegister = (text: string): Reply => {
    const parsed = parse(registerRequest, text);
    if ('refused' in parsed) return parsed.refused;
    if (!register.register(parsed.output)) return json(503, { success: false, message: 'too many nodes' });
    return json(200, { success: true, message: 'node registered', node_id: parsed.output.node_id });
  };

  const onHeartbeat = (nodeId: string, text: string): Reply => {
    const parsed = parse(heartbeatRequest, text);
    if ('refused' in parsed) return parsed.refused;
    if (!register.heartbeat(nodeId, parsed.output)) return json(404, { success: false, message: `node ${nodeId} not found` });
    return json(200, { success: true, next_heartbeat_ms: nextHeartbeatMs });
  };

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        const address = server.address();
        if (typeof address === 'object' && address !== null) port = address.port;
        resolve();
      });
    });
  const down = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen();

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    nodes: register.list,
    node: register.get,
    requests: () => [...requests],
    on: register.on,
    fail: (what, times = Number.POSITIVE_INFINITY) => {
      fault = what === null ? null : { what, left: times };
    },
    forget: register.forget,
    down,
    up: listen,
    close: async () => {
      register.close();
      if (server.listening) await down();
    },
  };
};

const meet = async (fault: StandInFault | null, answer: () => Reply, response: ServerResponse): Promise<void> => {
  if (fault === null) return send(response, answer());
  switch (fault.kind) {
    case 'status':
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers }).end(fault.body ?? '');
      return;
    case 'lie':
      answer();
      return send(response, { status: 200, type: 'application/json', body: fault.body });
    case 'slow': {
      const reply = answer();
      await wait(fault.ms, undefined, { ref: false });
      return send(response, reply);
    }
    case 'hang':
      return;
    case 'cut':
      response.destroy();
      return;
    default:
      assertNever(fault);
  }
};

const send = (response: ServerResponse, { status, type, body }: Reply): void => {
  response.writeHead(status, type === undefined ? {} : { 'content-type': type }).end(body ?? '');
};

const json = (status: number, body: object): Reply => ({ status, type: 'application/json', body: JSON.stringify(body) });
const plain = (status: number, body: string): Reply => ({ status, type: 'text/plain; charset=utf-8', body });

const parse = <Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
): { readonly output: v.InferOutput<Schema> } | { readonly refused: Reply } => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { refused: plain(400, 'Failed to parse the request body as JSON') };
  }
  const parsed = v.safeParse(schema, value);
  return parsed.success ? { output: parsed.output } : { refused: plain(422, refusalText(parsed.issues)) };
};

/** Null: longer than it reads. */
const readBody = async (request: IncomingMessage): Promise<string | null> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > longestBodyBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const decode = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
};
