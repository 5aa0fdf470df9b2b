/**
 * The dashboard: one page for every path that is a view of it, and its files. Anybody may load them; what they show they ask
 * the API for, with the token that a person gives them.
 */
import { Hono } from 'hono';
import type { AppEnv, Exchange } from '../env.ts';
import { Problem, shown } from '../problems.ts';
import { readServedFiles, type ServedFile, type ServedFiles } from './files.ts';

/** Views of the page; where in a view one is, is behind a `#` and stays in the browser. */
export const pagePaths = ['/', '/statecharts'] as const;
export const assetsPath = '/assets/';

/** Nothing from elsewhere, nothing inline, in no other page. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const dashboardRoutes = () => {
  let reading: Promise<ServedFiles> | null = null;
  const files = (): Promise<ServedFiles> => {
    reading ??= readServedFiles().catch((thrown: unknown) => {
      // A disk that was not there may be back at the next request.
      reading = null;
      throw thrown;
    });
    return reading;
  };
  const file = async (exchange: Exchange, name: string): Promise<Response> => {
    const found = (await files()).get(name);
    if (found === undefined) throw new Problem('NOT_FOUND', `the dashboard has no file ${shown(name)}`);
    return answerFile(exchange, found);
  };
  return new Hono<AppEnv>()
    .get(pagePaths[0], (c) => file(c.env, 'index.html'))
    .get(pagePaths[1], (c) => file(c.env, 'index.html'))
    .get('/assets/:file', (c) => file(c.env, c.req.param('file')));
};

const answerFile = ({ correlationId, incoming }: Exchange, { type, etag, gzipped, plain }: ServedFile): Response => {
  const headers = {
    'Content-Type': type,
    'X-Correlation-Id': correlationId,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': policy,
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    // Asked for again each time, and answered 304 while it is the same.
    'Cache-Control': 'no-cache',
    Vary: 'Accept-Encoding',
    ETag: etag,
  };
  const known = incoming.headers['if-none-match'];
  if (known?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) === true) return new Response(null, { status: 304, headers });
  return /\bgzip\b/.test(String(incoming.headers['accept-encoding'] ?? ''))
    ? new Response(gzipped, { headers: { ...headers, 'Content-Encoding': 'gzip' } })
    : new Response(plain, { headers });
};
