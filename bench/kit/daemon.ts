/**
 * The real daemon as a child, on free ports, with simulated cards, its own directories and the pools asked for; what it says
 * and what it is asked. Ends with its house, its engines with it.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createEventParser } from '../../src/cli/sse.ts';
import { commandUnderTest } from '../../test/kit/package-under-test.ts';
import { type Heard, makeHeard } from './heard.ts';
import type { House } from './house.ts';
import { end, freePort, pidOf, start } from './processes.ts';
import { openLastingWire, openWire, type Wire } from './wire.ts';

export interface Transition {
  readonly pool_id: string | null;
  readonly from: string;
  readonly to: string;
}

export interface Pool {
  readonly pool_id: string;
  readonly state: string;
  readonly substate: string;
  readonly ready: boolean;
  readonly live: boolean;
}

export interface Daemon {
  readonly port: number;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly runtimeDir: string;
  /** Asks over one kept connection, in turn. */
  readonly api: Wire;
  pools(): Promise<readonly Pool[]>;
  /** Resolves with the moment of the status answer that says so, and rejects if it does not: what was told must be so. */
  confirm(id: string, ready: boolean): Promise<number>;
  order(id: string, command: 'preload' | 'drain'): Promise<void>;
  /** Its stream of events, opened by this call. */
  follow(): Promise<Heard<Transition>>;
  untilPools(what: string, holds: (pools: readonly Pool[]) => boolean, withinMs?: number): Promise<void>;
  /** Process id of a pool's engine, from its run record. */
  enginePid(poolId: string): number;
}

export interface DaemonOptions {
  readonly pools: readonly object[];
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
}

/** Resolves when its API answers and every pool of the file is there. */
export const startDaemon = async (house: House, options: DaemonOptions): Promise<Daemon> => {
  const { child, port } = await execDaemon(house, options);
  await untilOk(port, '/v2/pools').catch((thrown: unknown) => {
    throw new Error(`the daemon does not serve; it said:\n${lastWords(house)}`, { cause: thrown });
  });
  const daemon = await connectTo(house, child, port);
  await daemon.untilPools('its pools', (pools) => pools.length === options.pools.length);
  return daemon;
};

/** Only starts it. A second one in the same house takes up where the first one was. */
export const execDaemon = async (house: House, { pools, env = {}, nodeFlags = [] }: DaemonOptions) => {
  const port = await freePort();
  const file = join(house.dir, 'pools.yaml');
  writeFileSync(file, JSON.stringify({ version: 1, pools }));
  await mkdir(runtimeDirOf(house), { recursive: true });
  house.atEnd(() => endEngines(house));
  const command = await commandUnderTest();
  const startedAt = performance.now();
  const child = start(house, process.execPath, [...nodeFlags, command, 'serve'], {
    output: { file: join(house.dir, 'daemon.log') },
    env: {
      POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${port}`,
      POOL_MANAGERD_GPU_SOURCE: 'simulated:8x80GiB',
      POOL_MANAGERD_CONFIG: file,
      POOL_MANAGERD_RUNTIME_DIR: runtimeDirOf(house),
      POOL_MANAGERD_STATE_DIR: stateDirOf(house),
      POOL_MANAGERD_CACHE_DIR: join(house.dir, 'cache'),
      POOL_MANAGERD_NODE_ID: 'bench',
      POOL_MANAGERD_PORT_RANGE: '21000-21999',
      PROMETHEUS_METRICS_PORT: '0',
      ...env,
    },
  });
  // In order, so that a profile is written; engines are ended by their records.
  house.atEnd(() => end(child, 'SIGTERM'));
  return { child, port, startedAt };
};

export const connectTo = async (house: House, child: ChildProcess, port: number): Promise<Daemon> => {
  const api = await openLastingWire(port);
  house.atEnd(() => api.close());
  const read = async (path: string): Promise<unknown> => {
    const { status, body } = await api.send('GET', path);
    if (status !== 200) throw new Error(`expected 200 from ${path}, found ${status} ${body.toString('utf8').slice(0, 200)}`);
    return JSON.parse(body.toString('utf8'));
  };
  // What this daemon says of its own pools is taken at its word.
  const pools = async () => ((await read('/v2/pools')) as { readonly pools: readonly Pool[] }).pools;
  return {
    port,
    child,
    pid: pidOf(child),
    runtimeDir: runtimeDirOf(house),
    api,
    pools,
    confirm: async (id, ready) => {
      const found = (await read(`/v2/pools/${id}/status`)) as Pool;
      if (found.ready !== ready) throw new Error(`expected ready ${ready} in the status of ${id}, as its events said, found ${found.ready}`);
      return performance.now();
    },
    order: async (id, command) => {
      const { status, body } = await api.send('POST', `/v2/pools/${id}/${command}`, command === 'drain' ? '{"deadline_ms":0}' : '{}');
      if (status !== 202) throw new Error(`expected 202 from ${command}, found ${status} ${body.toString('utf8').slice(0, 300)}`);
    },
    follow: () => follow(house, port),
    untilPools: async (what, holds, withinMs = 120_000) => {
      const limit = performance.now() + withinMs;
      for (let found = await pools(); !holds(found); found = await pools()) {
        if (performance.now() > limit) throw new Error(`waited ${withinMs} ms for ${what}, found ${tally(found)}`);
        await wait(50);
      }
    },
    enginePid: (poolId) => {
      const run = runsIn(house).find((one) => one.poolId === poolId);
      if (run === undefined) throw new Error(`expected a run record of ${poolId}, found none`);
      return run.pid;
    },
  };
};

/** Asks every millisecond; resolves with the moment of the first 200. */
export const untilOk = async (port: number, path: string, withinMs = 60_000): Promise<number> => {
  const limit = performance.now() + withinMs;
  while (performance.now() < limit) {
    const wire = await openWire(port).catch(() => null);
    const answered = await wire?.send('GET', path).catch(() => null);
    wire?.close();
    if (answered?.status === 200) return performance.now();
    await wait(1);
  }
  throw new Error(`waited ${withinMs} ms for 200 from ${path} on port ${port}`);
};

const lastWords = (house: House): string => readFileSync(join(house.dir, 'daemon.log'), 'utf8').trimEnd().split('\n').slice(-20).join('\n');

const runtimeDirOf = (house: House): string => join(house.dir, 'runtime');
const stateDirOf = (house: House): string => join(house.dir, 'state');

const follow = (house: House, port: number): Promise<Heard<Transition>> =>
  new Promise((resolve, reject) => {
    const heard = makeHeard<Transition>();
    const take = createEventParser(({ data }) => heard.tell(JSON.parse(data)));
    const asked = get({ host: '127.0.0.1', port, path: '/v2/events', agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', take);
      response.on('error', () => undefined);
      resolve(heard);
    });
    asked.on('error', reject);
    house.atEnd(() => void asked.destroy());
  });

const tally = (pools: readonly Pool[]): string =>
  Object.entries(Object.groupBy(pools, ({ state, substate }) => `${state}.${substate}`))
    .map(([state, found]) => `${found?.length} ${state}`)
    .join(', ');

interface Run {
  readonly poolId: string;
  readonly pid: number;
}

/** Envelope and all, as the daemon stores it. */
const runsIn = (house: House): readonly Run[] =>
  (existsSync(join(stateDirOf(house), 'runs')) ? readdirSync(join(stateDirOf(house), 'runs')) : [])
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => findRun(JSON.parse(readFileSync(join(stateDirOf(house), 'runs', name), 'utf8'))));

const findRun = (value: unknown): readonly Run[] => {
  if (typeof value !== 'object' || value === null) return [];
  if ('pid' in value && typeof value.pid === 'number' && 'poolId' in value && typeof value.poolId === 'string')
    return [{ pid: value.pid, poolId: value.poolId }];
  return Object.values(value).flatMap(findRun);
};

/** Each leads a process group of its own. One that is gone already is fine. */
const endEngines = (house: House): void => {
  for (const { pid } of runsIn(house)) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {}
  }
};
