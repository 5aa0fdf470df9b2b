/**
 * The bare servers that routes are measured against: `hono` or `node:http`, sending files as JSON by path, `path=file` each.
 * Says its port on its first line.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const [kind, ...pairs] = process.argv.slice(2);
const bodies = new Map(
  pairs.map((pair) => {
    const [path = '', file = ''] = pair.split('=');
    return [path, file === '' ? '{"status":"ok"}' : readFileSync(file, 'utf8')] as const;
  }),
);
const say = (port: number): void => void process.stdout.write(`${port}\n`);

if (kind === 'hono') {
  const app = new Hono();
  for (const [path, body] of bodies) app.get(path, (c) => c.body(body, 200, { 'Content-Type': 'application/json' }));
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT'] ?? 0) }, ({ port }) => say(port));
} else {
  const server = createServer((request, response) => {
    const body = bodies.get(request.url ?? '') ?? '';
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
  });
  server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) say(address.port);
  });
}
