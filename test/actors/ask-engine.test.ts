import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type AskOptions, overOneLine } from '../../src/actors/ask-engine.ts';
import type { Ask } from '../../src/engines/adapter.ts';
import { freePort } from '../kit/engine-process.ts';
import { httpEngine, tcpEngine } from '../kit/evil-engine.ts';
import { until } from '../kit/until.ts';

const get = { method: 'GET', path: '/health' } as const;
const askEngine = (endpoint: string, ask: Ask, options: AskOptions) => overOneLine(endpoint, (line) => line.ask(ask, options));
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
    expect(asked).toEqual({ kind: 'answer', answer: { status: 201, text: 'POST|/x?y=1|{"a":"é"}|Bearer k|identity|keep-alive' } });
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
    expect(tookMs).toBeLessThan(2_000);
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

const twice = (endpoint: string, options: AskOptions = { deadlineMs: 1_000 }) =>
  overOneLine(endpoint, async (line) => [await line.ask(get, options), await line.ask({ ...get, path: '/slots' }, options)]);
const answer = (text: string) => ({ kind: 'answer', answer: { status: 200, text } });
const ok = (body: string, more = ''): string => `HTTP/1.1 200 OK\r\n${more}content-length: ${body.length}\r\n\r\n${body}`;

describe('Requests over one line', () => {
  it('share a connection, which ends with the work, whatever comes of it', async () => {
    const engine = await httpEngine((request, response) => response.end(request.url));
    expect(await twice(engine.endpoint)).toEqual([answer('/health'), answer('/slots')]);
    await until('it to end', () => engine.openSockets() === 0);
    expect(engine.sockets()).toBe(1);
    const failing = overOneLine(engine.endpoint, async (line) => {
      await line.ask(get, { deadlineMs: 1_000 });
      throw new Error('the work failed');
    });
    await expect(failing).rejects.toThrow('the work failed');
    await until('it to end', () => engine.openSockets() === 0);
    expect(engine.sockets()).toBe(2);
  });

  it.each([
    ['says so', () => httpEngine((request, response) => response.setHeader('connection', 'close').end(request.url))],
    ['speaks HTTP/1.0', () => tcpEngine(answering((path) => `HTTP/1.0 200 OK\r\n\r\n${path}`, 'end'))],
    ['ends it without a word', () => tcpEngine(answering((path) => ok(path), 'end'))],
    ['resets it', () => tcpEngine(answering((path) => ok(path), 'reset'))],
  ])('each have a connection of their own where the engine closes after an answer: it %s', async (_what, start) => {
    const engine = await start();
    for (let round = 1; round <= 20; round += 1) {
      expect(await twice(engine.endpoint)).toEqual([answer('/health'), answer('/slots')]);
      expect(engine.sockets()).toBe(2 * round);
    }
    await until('all to end', () => engine.openSockets() === 0);
  });

  it('ask once more where a kept connection ends instead of answering, and within the deadline', async () => {
    let taken = 0;
    const engine = await tcpEngine((socket) => {
      taken += 1;
      let asked = 0;
      socket.on('data', () => {
        asked += 1;
        if (asked > 1) socket.end();
        else if (taken === 1) socket.write(ok('first'));
      });
    });
    const begun = performance.now();
    expect(await twice(engine.endpoint, { deadlineMs: 200 })).toEqual([answer('first'), { kind: 'timeout' }]);
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect(taken).toBe(2);
    await until('all to end', () => engine.openSockets() === 0);
  });

  it('do not ask once more where an answer had begun', async () => {
    const engine = await tcpEngine((socket) => {
      let asked = 0;
      socket.on('data', () => {
        asked += 1;
        if (asked === 1) socket.write(ok('first'));
        else socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc');
      });
    });
    expect(await twice(engine.endpoint)).toEqual([answer('first'), { kind: 'error', message: expect.stringMatching(/./) }]);
    expect(engine.sockets()).toBe(1);
  });

  it('each have a deadline and a bound of their own, and what breaks one is not left to the next', async () => {
    const engine = await httpEngine((request, response) => {
      if (request.url === '/large') response.end('x'.repeat(100));
      else if (request.url !== '/never') response.end(request.url);
    });
    const asked = await overOneLine(engine.endpoint, async (line) => [
      await line.ask({ ...get, path: '/never' }, { deadlineMs: 50 }),
      await line.ask({ ...get, path: '/large' }, { deadlineMs: 1_000, maxBytes: 10 }),
      await line.ask(get, { deadlineMs: 1_000 }),
    ]);
    expect(asked).toEqual([{ kind: 'timeout' }, { kind: 'error', message: expect.stringContaining('at most 10 bytes') }, answer('/health')]);
    expect(engine.mostSockets()).toBeLessThanOrEqual(2);
    await until('all to end', () => engine.openSockets() === 0);
  });
});

/** Each connection is good for one answer. */
const answering = (answerTo: (path: string) => string, then: 'end' | 'reset') => (socket: Socket) =>
  socket.once('data', (data) => {
    socket.write(answerTo(data.toString('latin1').split(' ')[1] ?? ''), () => {
      if (then === 'end') socket.end();
      // After the answer was taken: a reset beside it would take it away.
      else setTimeout(() => socket.resetAndDestroy(), 5);
    });
  });

const dribble = (socket: Socket, first: string, then: string): void => {
  socket.write(first);
  const timer = setInterval(() => socket.write(then), 5);
  socket.on('close', () => clearInterval(timer));
};
