/** Clients that are slow, long, many or broken, over raw sockets: each is answered or cut off, and nobody else notices. */
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { serverLimits } from '../../src/http/limits.ts';
import type { OrchestratorAnswer } from '../../src/http/ports.ts';
import { serve } from '../../src/http/serve.ts';
import { exchangeRaw, type HttpApi, openSocket, parseAnswer, type RawAnswer, startHttpApi } from '../kit/http-api.ts';
import { until } from '../kit/until.ts';

let api: HttpApi | null = null;
const start = async (limits: Partial<Record<keyof typeof serverLimits, number>> = {}): Promise<HttpApi> => {
  api = await startHttpApi({ serverLimits: { ...serverLimits, ...limits } });
  return api;
};
afterEach(async () => {
  await api?.close();
  api = null;
});

const problemOf = (answered: RawAnswer | null): { status: number | undefined; code: unknown; correlated: boolean } => ({
  status: answered?.status,
  code: answered === null ? null : JSON.parse(answered.body).code,
  correlated: /^[0-9a-f-]{36}$/.test(answered?.headers.get('x-correlation-id') ?? ''),
});

const nextOf = (socket: Socket, events: readonly string[]): Promise<void> =>
  new Promise((resolve) => {
    for (const event of events) socket.once(event, () => resolve());
  });

const request = (line: string, headers: readonly string[] = [], body = ''): string =>
  `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers.map((each) => `${each}\r\n`).join('')}\r\n${body}`;

describe('requests that are none', () => {
  it.each([
    [
      'both lengths at once',
      request('POST /v2/pools', ['Content-Type: application/json', 'Content-Length: 2', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
      400,
    ],
    ['two lengths', request('POST /v2/pools', ['Content-Length: 2', 'Content-Length: 3'], '{}'), 400],
    ['a length that is no number', request('POST /v2/pools', ['Content-Length: +2'], '{}'), 400],
    ['an unknown coding', request('POST /v2/pools', ['Transfer-Encoding: xchunked'], '{}'), 400],
    ['a space before the colon', request('GET /health', ['X : y']), 400],
    ['a bare line feed', 'GET /health HTTP/1.1\nHost: localhost\n\n', 400],
    ['a folded header', request('GET /health', ['A: b', ' c']), 400],
    ['a header with a zero byte', request('GET /health', ['A: b\0c']), 400],
    ['no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a broken chunk', request('POST /v2/pools', ['Content-Type: application/json', 'Transfer-Encoding: chunked'], 'zz\r\n{}\r\n'), 400],
    ['noise', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 400],
  ])('refuses %s', async (_what, bytes, status) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, bytes);
    expect(answered?.status).toBe(status);
  });

  it.each(['POST /v2/pools', 'GET /health'])('reads no second request out of a smuggled body of %s', async (line) => {
    const { port, log } = await start();
    const smuggled = 'GET /v2/node HTTP/1.1\r\nHost: localhost\r\n\r\n';
    await exchangeRaw(port, request(line, ['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`));
    expect(log.filter((entry) => entry.fields['path'] === '/v2/node')).toEqual([]);
  });

  it('says in the shape of every error what is wrong', async () => {
    const { port } = await start();
    expect(problemOf(await exchangeRaw(port, 'nonsense\r\n\r\n'))).toEqual({ status: 400, code: 'INVALID_PARAMS', correlated: true });
  });

  it.each(['BREW', 'FOO'])('answers the unknown method %s with 405', async (method) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, request(`${method} /v2/pools`));
    expect(problemOf(answered)).toEqual({ status: 405, code: 'METHOD_NOT_ALLOWED', correlated: true });
    expect(answered?.headers.get('allow')).toBe('GET, HEAD, POST, DELETE');
  });

  it.each(['PROPFIND', 'TRACE', 'QUERY'])('answers the known but unserved method %s with 405', async (method) => {
    const { port } = await start();
    expect(problemOf(await exchangeRaw(port, request(`${method} /v2/pools`)))).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
  });

  it.each(['http://localhost/health', '*', 'localhost:80'])('takes no request target like %s', async (target) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, request(`GET ${target}`));
    expect(answered?.status).toBe(400);
  });

  it.each(['localhost/../x', 'a b', 'localhost:port', '[::1', 'user@localhost'])('refuses the host %s', async (host) => {
    const { port } = await start();
    const answered = await exchangeRaw(port, `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect([400, 421]).toContain(answered?.status);
    expect(problemOf(answered).correlated).toBe(true);
  });

  it('serves no HTTP/1.0 without a host', async () => {
    const { port } = await start();
    expect(problemOf(await exchangeRaw(port, 'GET /health HTTP/1.0\r\n\r\n'))).toEqual({ status: 421, code: 'MISDIRECTED', correlated: true });
  });

  it('answers headers of more than 8 KiB with 431', async () => {
    const { port } = await start();
    const answered = await exchangeRaw(port, request('GET /health', [`Authorization: Bearer ${'x'.repeat(8200)}`]));
    expect(problemOf(answered)).toEqual({ status: 431, code: 'INVALID_PARAMS', correlated: true });
  });

  it('ignores an expectation that it does not know', async () => {
    const { port } = await start();
    expect((await exchangeRaw(port, request('GET /health', ['Expect: the-unexpected'])))?.status).toBe(200);
  });
});

describe('large bodies', () => {
  const asJson = 'Content-Type: application/json';

  it('are refused by what they announce, before a byte of them is read', async () => {
    const { port, node } = await start();
    const answered = await exchangeRaw(port, request('POST /v2/pools/pool-0/drain', [asJson, 'Content-Length: 1073741824']));
    expect(problemOf(answered)).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
    expect(node.asked).toEqual([]);
  });

  it('are counted while they come when they announce nothing', async () => {
    const here = await start();
    const socket = await openSocket(here.port);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write(request('POST /v2/pools', [asJson, 'Transfer-Encoding: chunked']).replace('Connection: close\r\n', ''));
    const before = process.memoryUsage.rss();
    const piece = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    while (!socket.destroyed && sent < 1024 * 1024 * 1024) {
      const more = socket.write(`${piece.length.toString(16)}\r\n`) && socket.write(piece) && socket.write('\r\n');
      sent += piece.length;
      if (!more && !socket.destroyed) await nextOf(socket, ['drain', 'close']);
    }
    await until('the connection to be cut', () => socket.closed);
    expect(parseAnswer(Buffer.concat(chunks).toString())?.status).toBe(413);
    expect(sent).toBeLessThan(256 * 1024 * 1024);
    expect(process.memoryUsage.rss() - before).toBeLessThan(40 * 1024 * 1024);
    expect((await here.fetch('/health')).status).toBe(200);
  });

  it('of exactly 64 KiB are read', async () => {
    const here = await start();
    const body = `{"new_model_ref":"m","pad":"${'x'.repeat(64 * 1024 - 30)}"}`;
    expect(body.length).toBe(64 * 1024);
    const send = (text: string) =>
      here.fetch('/v2/pools/pool-0/reload', { method: 'POST', headers: { 'content-type': 'application/json' }, body: text });
    expect((await send(body)).status).toBe(202);
    expect((await send(`${body} `)).status).toBe(413);
  });

  it('are not read where none is expected', async () => {
    const { port } = await start();
    expect((await exchangeRaw(port, request('GET /v2/pools', ['Content-Length: 70000'])))?.status).toBe(413);
  });
});

describe('slow clients', () => {
  it('that trickle headers are cut off with 408', async () => {
    const here = await start({ headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 });
    const socket = await openSocket(here.port);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write('GET /health HTTP/1.1\r\n');
    const trickle = setInterval(() => socket.writable && socket.write('X: y\r\n'), 20);
    const began = performance.now();
    await until('the cut', () => socket.closed);
    clearInterval(trickle);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(parseAnswer(text)?.status).toBe(408);
  });

  it('that trickle a body are cut off with 408', async () => {
    const here = await start({ headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 50 });
    const socket = await openSocket(here.port);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write(request('POST /v2/pools', ['Content-Type: application/json', 'Content-Length: 1000']));
    const trickle = setInterval(() => socket.writable && socket.write(' '), 20);
    await until('the cut', () => socket.closed);
    clearInterval(trickle);
    expect(parseAnswer(text)?.status).toBe(408);
    expect(here.log.filter((entry) => entry.level === 'error')).toEqual([]);
  });

  it('that say nothing do not keep their connection', async () => {
    const here = await start({ headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 50 });
    const socket = await openSocket(here.port);
    socket.resume();
    await until('the cut', () => socket.closed);
  });

  it('do not keep others waiting', async () => {
    const here = await start();
    const slow = await Promise.all(Array.from({ length: 50 }, () => openSocket(here.port)));
    for (const socket of slow) socket.write('GET /health HTTP/1.1\r\nX:');
    const began = performance.now();
    expect((await here.fetch('/health')).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(500);
    for (const socket of slow) socket.destroy();
  });
});

describe('many clients', () => {
  it('beyond the limit are turned away and come in when there is room', async () => {
    const here = await start({ maxConnections: 3 });
    const sockets = await Promise.all([1, 2, 3].map(() => openSocket(here.port)));
    await until(
      'three connections',
      () => new Promise<boolean>((resolve) => here.listening.server.getConnections((_error, count) => resolve(count === 3))),
    );
    const fourth = await openSocket(here.port);
    await until('the fourth to be turned away', () => fourth.closed);
    for (const socket of sockets) socket.destroy();
    await until('room', async () => (await here.fetch('/health').catch(() => null))?.status === 200);
  });
});

describe('the end of the server', () => {
  it('lets an answer under way finish, ends streams, and frees the port', async () => {
    const here = await start();
    const answer = Promise.withResolvers<OrchestratorAnswer>();
    const asked = Promise.withResolvers<void>();
    here.node.registerNow = () => {
      asked.resolve();
      return answer.promise;
    };
    const pending = here.post('/v2/nodes/register', {});
    await asked.promise;
    const stream = await here.fetch('/v2/events');
    const closing = here.listening.close(5000);
    answer.resolve({ ok: true, body: { late: true } });
    expect(await (await pending).json()).toEqual({ late: true });
    expect(await stream.text()).toContain('retry:');
    await closing;
    await expect(here.fetch('/health')).rejects.toThrow();
  });

  it('says what to do when the port is taken', async () => {
    const here = await start();
    await expect(serve(here.app, { host: '127.0.0.1', port: here.port })).rejects.toThrow(/127\.0\.0\.1:\d+: another process does; stop it/);
  });
});
