/** A run of free ports below those that the kernel gives out by itself, at a random place: test runs beside each other rarely meet. */
import { createServer } from 'node:net';

const first = 20_000;
const last = 32_000;
const mostTries = 50;

export const freePorts = async (count: number): Promise<{ readonly first: number; readonly last: number }> => {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const start = first + Math.floor(Math.random() * (last - first - count));
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isFree(start + index)));
    if (free.every(Boolean)) return { first: start, last: start + count - 1 };
  }
  throw new Error(`found no ${count} free ports in a row between ${first} and ${last}`);
};

export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
