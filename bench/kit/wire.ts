/**
 * A client that costs as little as it can: HTTP/1.1 over one kept connection, one request at a time, answers with a
 * Content-Length or in chunks. For peers of ours only; refuses what it does not expect.
 */
import { connect, type Socket } from 'node:net';

export interface Wire {
  /** Resolves with status and body when the whole answer is there. */
  send(method: 'GET' | 'POST', path: string, body?: string): Promise<Answered>;
  isClosed(): boolean;
  close(): void;
}

export interface Answered {
  readonly status: number;
  readonly body: Buffer;
}

export const openWire = (port: number): Promise<Wire> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(wireOn(socket, port));
    });
  });

/** One that is opened anew where the peer has closed it, as servers do with a connection that nobody used for a while. */
export const openLastingWire = async (port: number): Promise<Wire> => {
  let wire = await openWire(port);
  return {
    isClosed: () => wire.isClosed(),
    send: async (...asked) => {
      if (wire.isClosed()) wire = await openWire(port);
      return wire.send(...asked);
    },
    close: () => wire.close(),
  };
};

const wireOn = (socket: Socket, port: number): Wire => {
  let pending: { resolve(answered: Answered): void; reject(error: Error): void } | null = null;
  let held: Buffer[] = [];
  let bytes = 0;
  /** Bytes until the answer is whole; null: its head is not there yet, or it comes in chunks. */
  let whole: number | null = null;
  let closed: Error | null = null;

  const fail = (error: Error): void => {
    pending?.reject(error);
    pending = null;
  };
  socket.on('error', fail);
  socket.on('close', () => {
    closed = new Error(`port ${port} closed the connection`);
    fail(closed);
  });
  socket.on('data', (chunk: Buffer) => {
    held.push(chunk);
    bytes += chunk.length;
    if (whole !== null && bytes < whole) return;
    const all = held.length === 1 ? chunk : Buffer.concat(held);
    held = [all];
    const read = readAnswer(all);
    if (typeof read === 'number') whole = read;
    if (read === null || typeof read === 'number') return;
    held = [];
    bytes = 0;
    whole = null;
    const { resolve } = pending ?? { resolve: () => undefined };
    pending = null;
    resolve(read);
  });

  return {
    send: (method, path, body = '') =>
      new Promise((resolve, reject) => {
        if (closed !== null) return reject(closed);
        pending = { resolve, reject };
        const typed = body === '' ? '' : 'Content-Type: application/json\r\n';
        const sized = method === 'GET' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
        socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${typed}${sized}\r\n${body}`);
      }),
    isClosed: () => closed !== null || socket.destroyed,
    close: () => socket.destroy(),
  };
};

/** The answer; a number of bytes it will have; null: more is needed to say. */
const readAnswer = (all: Buffer): Answered | number | null => {
  const headEnd = all.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const head = all.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const start = headEnd + 4;
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return all.length < end ? end : { status, body: all.subarray(start, end) };
  }
  return all.subarray(-5).equals(lastChunk) ? { status, body: unchunk(all.subarray(start)) } : null;
};

const lastChunk = Buffer.from('0\r\n\r\n');

const unchunk = (chunked: Buffer): Buffer => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < chunked.length; ) {
    const end = chunked.indexOf('\r\n', at);
    const size = Number.parseInt(chunked.toString('latin1', at, end), 16);
    pieces.push(chunked.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(pieces);
};
