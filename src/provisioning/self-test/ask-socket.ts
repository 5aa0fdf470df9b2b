/** One HTTP request over a UNIX socket, bounded in time and size. Rejects while nobody listens. */
import { request } from 'node:http';

export interface SocketAnswer {
  readonly status: number;
  readonly text: string;
}

const mostBytes = 256 * 1024;

export const askSocket = (
  socket: string,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body?: string },
  signal: AbortSignal,
): Promise<SocketAnswer> =>
  new Promise((resolve, reject) => {
    const headers = { host: 'localhost', connection: 'close', ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const sent = request({ socketPath: socket, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > mostBytes) sent.destroy(new Error(`more than ${mostBytes} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
