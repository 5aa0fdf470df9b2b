import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { askEngine } from '../../src/actors/ask-engine.ts';
import { freePort } from '../kit/engine-process.ts';
import { httpEngine, tcpEngine } from '../kit/evil-engine.ts';

const get = { method: 'GET', path: '/health' } as const;
const timed = async (endpoint: string, deadlineMs: number) => {
  const begun = performance.now();
  const asked = await askEngine(endpoint, get, { deadlineMs });
  return { asked, tookMs: performance.now() - begun };
};

describe('A request to an engine', () => {
  it('brings status and text, and sends body, key and no wish for compression', async () => {
    const engine = await httpEngine((request, response) => {
      request.setEncoding('utf8').on('data', (body: string) => {
        response
          .writeHead(201)
          .end(
            [request.method, request.url, body, request.headers.authorization, request.headers['accept-encoding'], request.headers.connection].join(
              '|',
            ),
          );
      });
    });
    const asked = await askEngine(engine.endpoint, { method: 'POST', path: '/x?y=1', body: '{"a":"é"}' }, { deadlineMs: 1_000, apiKey: 'k' });
    expect(asked).toEqual({ kind: 'answer', answer: { status: 201, text: 'POST|/x?y=1|{"a":"é"}|Bearer k|identity|close' } });
  });

  it('says that nobody listens', async () => {
    expect((await timed(`http://127.0.0.1:${await freePort()}`, 1_000)).asked).toEqual({ kind: 'refused' });
  });

  it.each([
    ['never answers', () => tcpEngine(() => undefined)],
    ['never ends its headers', () => tcpEngine((socket) => dribble(socket, 'HTTP/1.1 200 OK\r\n', 'X: y\r\n'))],
    ['never ends its body', () => tcpEngine((socket) => dribble(socket, 'HTTP/1.1 200 OK\r\n\r\n', 'x'))],
    ['says 102 for ever', () => tcpEngine((socket) => dribble(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n'))],
  ])('ends at its deadline when the engine %s', async (_what, start) => {
    const { asked, tookMs } = await timed((await start()).endpoint, 200);
    expect(asked.kind).toBe('timeout');
    expect(tookMs).toBeGreaterThanOrEqual(195);
    expect(tookMs).toBeLessThan(600);
  });

  it('reads at most what it was told to', async () => {
    const engine = await httpEngine((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(16 * 1024)));
      };
      response.on('drain', more);
      more();
    });
    const before = process.memoryUsage().rss;
    expect((await timed(engine.endpoint, 5_000)).asked).toEqual({ kind: 'error', message: expect.stringContaining('at most 262144 bytes') });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('does not take headers without end', async () => {
    const engine = await tcpEngine((socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(64 * 1024)}\r\n\r\n`));
    expect((await timed(engine.endpoint, 5_000)).asked).toMatchObject({ kind: 'error', message: expect.stringContaining('HPE_HEADER_OVERFLOW') });
  });

  it('follows no redirect', async () => {
    let asked = 0;
    const other = await httpEngine((_request, response) => {
      asked += 1;
      response.end('stolen');
    });
    const engine = await httpEngine((_request, response) => response.writeHead(302, { location: other.endpoint }).end());
    expect((await timed(engine.endpoint, 1_000)).asked).toEqual({ kind: 'answer', answer: { status: 302, text: '' } });
    expect(asked).toBe(0);
  });

  it('unpacks nothing', async () => {
    const bomb = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    const engine = await httpEngine((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    const { asked } = await timed(engine.endpoint, 1_000);
    expect(asked.kind === 'answer' && asked.answer.text.length).toBeLessThan(bomb.length + 1);
  });

  it.each([
    ['a connection cut in the middle', () => tcpEngine((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'))],
    ['something else than HTTP', () => tcpEngine((socket) => socket.end('SSH-2.0-OpenSSH\r\n'))],
    ['a reset', () => tcpEngine((socket) => socket.resetAndDestroy())],
  ])('calls %s an error', async (_what, start) => {
    expect((await timed((await start()).endpoint, 1_000)).asked).toEqual({ kind: 'error', message: expect.stringMatching(/./) });
  });

  it('is given up when told so', async () => {
    const engine = await tcpEngine(() => undefined);
    const giveUp = new AbortController();
    const asked = askEngine(engine.endpoint, get, { deadlineMs: 10_000, signal: giveUp.signal });
    giveUp.abort();
    expect(await asked).toMatchObject({ kind: 'error' });
    expect(await askEngine(engine.endpoint, get, { deadlineMs: 10_000, signal: giveUp.signal })).toMatchObject({ kind: 'error' });
  });

  it('with a path that is none is an error, not a throw', async () => {
    expect(await askEngine('http://127.0.0.1:1', { method: 'GET', path: '/a b\r\n' }, { deadlineMs: 100 })).toMatchObject({ kind: 'error' });
  });
});

const dribble = (socket: Socket, first: string, then: string): void => {
  socket.write(first);
  const timer = setInterval(() => socket.write(then), 5);
  socket.on('close', () => clearInterval(timer));
};
