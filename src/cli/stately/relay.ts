/**
 * A server on loopback for one page that holds the viewer, and the stream of what it is told. Who does not know the path, or names
 * another host, is answered 404: other users and other pages of this machine have no business here. Keeps the charts that live and
 * a bounded number of what they did, for pages that come later.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pageFor, policyFor } from './page.ts';
import type { Told } from './translate.ts';

export interface RelayOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly viewer: URL;
  /** Where the charts are seen without a network. */
  readonly offline: string;
}

export interface Relay {
  /** Of the page, with its secret. */
  readonly url: string;
  readonly tell: (told: Told) => void;
  /** What was told is of a daemon that is gone. */
  readonly reset: () => void;
  /** Ends every stream. */
  readonly close: () => Promise<void>;
}

const mostKept = 2_000;
const mostPages = 8;
/** Bytes that a page may leave unread before it is cut off; it comes back by itself. */
const mostUnread = 4 * 1024 * 1024;

export const openRelay = async ({ port, viewer, offline }: RelayOptions): Promise<Relay> => {
  const secret = `/${randomUUID()}/`;
  const pages = new Set<ServerResponse>();
  const births = new Map<string, string>();
  const kept: string[] = [];
  const server = createServer((request, response) => {
    const { port: bound } = server.address() as AddressInfo;
    const isOurs = request.headers.host === `127.0.0.1:${bound}` && request.method === 'GET';
    if (isOurs && request.url === secret) answerPage(response);
    else if (isOurs && request.url === `${secret}events` && pages.size < mostPages) stream(response);
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('nothing here\n');
  });
  const answerPage = (response: ServerResponse): void => {
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policyFor(viewer),
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    };
    response.writeHead(200, headers).end(pageFor(viewer, offline));
  };
  const stream = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    pages.add(response);
    response.on('close', () => pages.delete(response));
    response.on('error', () => pages.delete(response));
    for (const text of [...births.values(), ...kept]) response.write(text);
  };
  const send = (text: string): void => {
    for (const page of pages)
      if (page.writableLength > mostUnread) page.destroy();
      else page.write(text);
  };
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${secret}`,
    tell: (told) => {
      const text = `event: told\ndata: ${JSON.stringify(told)}\n\n`;
      if (told.type === '@xstate.actor') births.set(told.sessionId, text);
      else kept.push(text);
      if (kept.length > mostKept) kept.shift();
      send(text);
    },
    reset: () => {
      births.clear();
      kept.length = 0;
      send('event: reset\ndata: {}\n\n');
    },
    close: async () => {
      for (const page of pages) page.end();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
