/** Whether an address can be listened on right now: bound, and let go again. */
import { createServer } from 'node:net';

/** Null: it can; else what the kernel says, with its code (`EADDRINUSE`, …) in it. */
export const bindingFails = (host: string, port: number): Promise<string | null> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.message));
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port, exclusive: true }, () => server.close(() => resolve(null)));
  });
