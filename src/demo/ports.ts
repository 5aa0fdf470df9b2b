/** Addresses for API and metrics: the usual ports where they are free, else free ones. Takes none itself. */
import { createServer } from 'node:net';

export const usualPorts = { api: 9200, metrics: 9091 } as const;

export interface DemoPorts {
  readonly api: number;
  readonly metrics: number;
}

export const choosePorts = async (anyFree: boolean): Promise<DemoPorts> => ({
  api: anyFree ? await freePort() : await freeOr(usualPorts.api),
  metrics: anyFree ? await freePort() : await freeOr(usualPorts.metrics),
});

/** `wanted` if nobody listens there. */
export const freeOr = async (wanted: number): Promise<number> => (await bindable(wanted)) ?? freePort();

const freePort = async (): Promise<number> => {
  const port = await bindable(0);
  if (port === null) throw new Error('no free port on 127.0.0.1');
  return port;
};

const bindable = (port: number): Promise<number | null> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
