/**
 * The stub's HTTP server: up before its model, 503 while "loading", then the routes of llama-server that pool-managerd and
 * simple clients use. Crashes, hangs and ends as it was told to.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { StubOptions } from './arguments.ts';
import type { Behaviour } from './behaviour.ts';
import { complete } from './complete.ts';
import { makeSlots, type Slots } from './slots.ts';

export const serveStub = async (options: StubOptions, behaviour: Behaviour, say: (line: string) => void): Promise<void> => {
  const slots = makeSlots(options.slots);
  let loaded = false;
  let hanging = false;

  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://stub').pathname;
    if (hanging && (behaviour.hang === 'all' || path !== '/health')) return;
    if (!loaded) return answer(response, 503, { error: { code: 503, message: 'Loading model', type: 'unavailable_error' } });
    route(path, request, response, { options, behaviour, slots });
  });
  server.on('error', (error) => {
    say(`srv  start: couldn't bind HTTP server socket, hostname: ${options.host}, port: ${options.port} (${error.message})`);
    process.exit(1);
  });
  process.on('SIGTERM', () => {
    if (behaviour.ignoreTerm) return say('stub engine: ignores SIGTERM, as it was told to');
    say('srv  operator(): cleaning up before exit...');
    process.exit(0);
  });

  await new Promise<void>((resolve) => server.listen(options.port, options.host, resolve));
  say(`stub engine: loading '${options.model}' (pretended)`);
  setTimeout(() => {
    if (behaviour.failLoad !== null) {
      say(behaviour.failLoad);
      process.exit(1);
    }
    loaded = true;
    for (const line of behaviour.saysPlaced ? placed : []) say(line);
    say('srv  llama_server: model loaded');
    say(`srv  llama_server: listening on http://${options.host}:${options.port}`);
    if (behaviour.hang !== null) setTimeout(() => (hanging = true), behaviour.hangAfterMs);
    if (behaviour.crashAfterMs !== null) setTimeout(() => crash(behaviour, say), behaviour.crashAfterMs);
  }, behaviour.loadMs);
};

const placed = [
  'load_tensors: offloaded 33/33 layers to GPU',
  'load_tensors:        CUDA0 model buffer size =     1.00 MiB',
  'llama_kv_cache:      CUDA0 KV buffer size =     1.00 MiB',
];

interface Serving {
  readonly options: StubOptions;
  readonly behaviour: Behaviour;
  readonly slots: Slots;
}

const route = (path: string, request: IncomingMessage, response: ServerResponse, { options, behaviour, slots }: Serving): void => {
  if (path === '/completion' || path === '/v1/chat/completions') {
    void complete(request, response, { slots, tokensPerSecond: behaviour.tokensPerSecond, chat: path !== '/completion' });
  } else if (path === '/metrics' && options.metrics) {
    write(response, 200, 'text/plain', metrics(slots));
  } else {
    const [status, body] = describe(path, options, slots);
    answer(response, status, body);
  }
};

const describe = (path: string, options: StubOptions, slots: Slots): readonly [status: number, body: unknown] => {
  switch (path) {
    case '/health':
      return [200, { status: 'ok' }];
    case '/slots':
      return [200, slots.busy().map((busy, id) => ({ id, n_ctx: Math.floor(options.ctx / slots.total), speculative: false, is_processing: busy }))];
    case '/props':
      return [200, { total_slots: slots.total, model_path: options.model, stub: true }];
    case '/v1/models':
      return [200, { object: 'list', data: [{ id: options.model, object: 'model', owned_by: 'stub' }] }];
    case '/metrics':
      return [501, { error: { code: 501, message: 'This server does not support metrics endpoint.', type: 'not_supported_error' } }];
    default:
      return [404, { error: { code: 404, message: 'File Not Found', type: 'not_found_error' } }];
  }
};

const metrics = (slots: Slots): string =>
  [
    '# TYPE llamacpp:requests_processing gauge',
    `llamacpp:requests_processing ${slots.busy().filter(Boolean).length}`,
    '# TYPE llamacpp:requests_deferred gauge',
    `llamacpp:requests_deferred ${slots.deferred()}`,
    '',
  ].join('\n');

const crash = ({ crashCode }: Behaviour, say: (line: string) => void): never => {
  say(`stub engine: GGML_ASSERT(false) failed, as it was told to; exit code ${crashCode}`);
  process.exit(crashCode);
};

const answer = (response: ServerResponse, status: number, body: unknown): void => write(response, status, 'application/json', JSON.stringify(body));

const write = (response: ServerResponse, status: number, type: string, text: string): void => {
  response.writeHead(status, { 'content-type': type });
  response.end(text);
};
