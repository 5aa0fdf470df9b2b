/**
 * Answers to what is no HTTP request at all, in the API's own error shape: too slow, too long, malformed.
 *
 * Node has parsed nothing then, so the answer is written to the socket by hand and the connection ends. Nothing is written
 * into the middle of another answer.
 */
import { randomUUID } from 'node:crypto';
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HttpLogger } from '../ports.ts';
import { methodNotAllowed, Problem, problemBody } from '../problems.ts';

interface Refusal {
  readonly status: number;
  readonly problem: Problem;
}

/** The answer that a connection is at, or was at last. */
export type CurrentAnswers = Pick<WeakMap<object, ServerResponse>, 'get'>;

export const refuseBroken = (server: Server, answers: CurrentAnswers, logger: HttpLogger | null): void => {
  server.on('clientError', (error: NodeJS.ErrnoException & { readonly rawPacket?: Buffer }, socket) => {
    const current = answers.get(socket);
    const inAnswer = current?.headersSent === true && !current.writableFinished;
    if (error.code === 'ECONNRESET' || !socket.writable || inAnswer) {
      socket.destroy();
      return;
    }
    const correlationId = randomUUID();
    const refusal = refusalOf(error.code ?? '', error.rawPacket);
    const peer = 'remoteAddress' in socket ? socket.remoteAddress : null;
    logger?.debug({ correlation_id: correlationId, status: refusal.status, peer, last_error: error.message }, 'not a request');
    socket.end(rawAnswer(refusal, correlationId));
    destroySoon(socket);
  });
};

const refusalOf = (code: string, packet: Buffer | undefined): Refusal => {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, problem: new Problem('INVALID_PARAMS', 'expected the whole request within the time limit; it came too slowly') };
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, problem: new Problem('INVALID_PARAMS', 'expected at most 8192 bytes of headers, found more') };
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { status: 413, problem: new Problem('PAYLOAD_TOO_LARGE', 'expected no long chunk extensions in the body') };
    case 'HPE_INVALID_METHOD': {
      const method = /^([A-Za-z-]{1,32}) \//.exec(packet?.toString('latin1') ?? '')?.[1];
      if (method !== undefined) return { status: 405, problem: methodNotAllowed(method, 'this server', ['GET', 'HEAD', 'POST', 'DELETE']) };
      return malformed;
    }
    default:
      return malformed;
  }
};

const malformed: Refusal = { status: 400, problem: new Problem('INVALID_PARAMS', 'expected an HTTP/1.1 request, found something else') };

const rawAnswer = ({ status, problem }: Refusal, correlationId: string): string => {
  const body = JSON.stringify(problemBody(problem));
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    'X-Correlation-Id': correlationId,
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    Connection: 'close',
    ...problem.extras.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
};

/** A peer that neither reads nor closes does not keep its connection. */
const destroySoon = (socket: Duplex): void => {
  const timer = setTimeout(() => socket.destroy(), 1000).unref();
  socket.once('close', () => clearTimeout(timer));
};
