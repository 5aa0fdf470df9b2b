/**
 * Addresses for API, metrics and engines. API and metrics: the usual ports where they are free, else free ones. Engines: a run
 * of ports of their own, since a daemon that works on this machine has the usual range. Takes none itself.
 */
import { createServer } from 'node:net';

export const usualPorts = { api: 9200, metrics: 9091 } as const;

export interface DemoPorts {
  readonly api: number;
  readonly metrics: number;
  readonly engines: PortRun;
}

/** Both ends included. */
export interface PortRun {
  readonly first: number;
  readonly last: number;
}

export const choosePorts = async (anyFree: boolean): Promise<DemoPorts> => ({
  api: anyFree ? await freePort() : await freeOr(usualPorts.api),
  metrics: anyFree ? await freePort() : await freeOr(usualPorts.metrics),
  engines: await freePorts(enginePorts),
});

/** Three pools, and ports that wait to be used again. */
const enginePorts = 20;
const lowest = 20_000;
const highest = 32_000;
const mostTries = 50;

/** A run of free ports below those that the kernel gives out by itself, at a random place: daemons beside each other rarely meet. */
export const freePorts = async (count: number): Promise<PortRun> => {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const first = lowest + Math.floor(Math.random() * (highest - lowest - count));
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (free.every(Boolean)) return { first, last: first + count - 1 };
  }
  throw new Error(`found no ${count} free ports in a row between ${lowest} and ${highest}`);
};

export const isFree = async (port: number): Promise<boolean> => (await bindable(port)) !== null;

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
