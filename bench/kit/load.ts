/** The load generator and the bare servers, as children. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { LoadOrder, LoadResult } from '../programs/load.ts';
import type { House } from './house.ts';
import { firstLine, pidOf, start } from './processes.ts';

const programs = resolve(import.meta.dirname, '../programs');

export const startLoad = (house: House): ((order: LoadOrder) => Promise<LoadResult>) => {
  const child = start(house, process.execPath, [resolve(programs, 'load.ts')], { output: 'ipc' });
  return async (order) => {
    child.send(order);
    const [result] = await once(child, 'message', { signal: AbortSignal.timeout(order.ms + 30_000) });
    return result;
  };
};

export interface BareServer {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** `bodies`: path → file; without a file it sends one short object. */
export const startBareServer = async (
  house: House,
  kind: 'hono' | 'http',
  bodies: Readonly<Record<string, string>>,
  port?: number,
): Promise<BareServer> => {
  const argv = [resolve(programs, 'bare-server.ts'), kind, ...Object.entries(bodies).map(([path, file]) => `${path}=${file}`)];
  const child = start(house, process.execPath, argv, { env: port === undefined ? {} : { PORT: String(port) } });
  return { child, pid: pidOf(child), port: await firstLine(child, 'a bare server', Number) };
};
