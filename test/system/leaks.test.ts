/**
 * What a daemon has open and holds in memory does not grow with the engines that it has started and ended. LEAK_CYCLES says how
 * many: 1,000 are promised, CI does with fewer. That its actors do not grow either is in `test/machines/pool-leaks.test.ts`.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../src/config/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { createLogger } from '../../src/observe/logger.ts';
import { pool } from '../chaos/faces.ts';
import { openFiles, residentBytes } from '../chaos/outside.ts';
import { daemonHouse, type House } from '../kit/daemon.ts';
import { type DaemonApi, daemonApi } from '../kit/daemon-api.ts';
import { foldJournal } from '../kit/fold-journal.ts';
import { freePorts } from '../kit/free-ports.ts';
import { type Heap, heapAt } from '../kit/heap.ts';
import { until } from '../kit/until.ts';

const cycles = Number(process.env['LEAK_CYCLES'] ?? (process.env['CI'] === undefined ? 1_000 : 250));
const mebibyte = 1024 ** 2;

it('A thousand starts and ends of a pool leave no file open, no process, and memory as it was (rows 87, 89)', {
  timeout: 60_000 + cycles * 600,
}, async () => {
  const house = await onePool();
  const { first: port } = await freePorts(1);
  // The young generation as the unit and the executable have it.
  const daemon = await house.start({ NODE_OPTIONS: `--max-semi-space-size=4 --inspect=127.0.0.1:${port}` });
  const heap = await heapAt(port);
  onTestFinished(() => heap.close());
  await daemon.ready('pool-0');
  const metered: Metered[] = [];
  const begun = performance.now();
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    await order(daemon, 'drain', 'offline.stopped');
    await order(daemon, 'preload', 'ready.healthy');
    if (cycle % Math.ceil(cycles / 20) === 0) metered.push(await meter(daemon.pid, heap));
  }
  const took = performance.now() - begun;
  await wait(2_000);
  metered.push(await meter(daemon.pid, heap));
  // A daemon that is being looked into waits at its end until nobody does.
  heap.close();
  const files = metered.map((one) => one.files);
  const inMebibytes = (of: (one: Metered) => number) => metered.map((one) => (of(one) / mebibyte).toFixed(1)).join(' ');
  console.log(
    `${cycles} cycles, ${(took / cycles).toFixed(0)} ms each: ${files[0]} to ${files.at(-1)} files, ${inMebibytes((one) => one.live)} MiB alive, ${inMebibytes((one) => one.resident)} MiB resident`,
  );

  // A request that is just being answered has files of its own.
  expect(files.at(-1)).toBeLessThanOrEqual((files[0] ?? 0) + 3);
  // Code that is still being compiled, and lists that are not full yet: under 2 MiB, and less and less of it.
  expect(grown(metered.map((one) => one.live))).toBeLessThan(3 * mebibyte);
  expect(grown(metered.map((one) => one.resident))).toBeLessThan(24 * mebibyte);
  expect((await daemon.pool('pool-0')).restarts).toBe(0);
  expect(readdirSync(join(house.stateDir, 'exits'))).toHaveLength(1);
  expect(readdirSync(join(house.stateDir, 'logs', 'pool-0')).length).toBeLessThan(10);
  expect(house.left()).toHaveLength(1);
  await order(daemon, 'drain', 'offline.stopped');
  expect(house.left()).toEqual([]);
  expect((await daemon.end('SIGTERM')).code).toBe(0);
  expect(foldJournal(house.stateDir).divergence).toBeNull();
});

it('A daemon within a process has no timer, socket or watcher more after many starts of a pool, and none after its end', {
  timeout: 120_000,
}, async () => {
  const house = await onePool();
  const before = resources();
  const daemon = await startedWithin(house);
  const api = daemonApi(daemon.url);
  await api.ready('pool-0');
  await order(api, 'drain', 'offline.stopped');
  const few = await settled();
  for (let cycle = 0; cycle < 30; cycle += 1) {
    await order(api, 'preload', 'ready.healthy');
    await order(api, 'drain', 'offline.stopped');
  }
  await until(`at most ${few} timers, sockets and watchers`, async () => (await settled()) <= few, 15_000);
  expect((await daemon.stop('drain')).unfinished).toBe(false);
  await until(`at most ${before} of them`, () => resources() <= before, 15_000);
});

const onePool = async (): Promise<House> => {
  const house = await daemonHouse({ onTestFinished });
  const { model: _, ...declared } = pool('pool-0', 0, '', {});
  await house.declare([declared]);
  return house;
};

const startedWithin = async (house: House) => {
  const env = {
    POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0',
    PROMETHEUS_METRICS_PORT: '0',
    POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB',
    POOL_MANAGERD_LAUNCHER: 'detached',
    POOL_MANAGERD_CONFIG: house.poolsFile,
    POOL_MANAGERD_STATE_DIR: house.stateDir,
    POOL_MANAGERD_RUNTIME_DIR: house.runtimeDir,
    POOL_MANAGERD_PORT_RANGE: `${house.ports.first}-${house.ports.last}`,
  };
  const read = readConfig(env, { hostname: 'node-0', home: house.dir, cwd: house.dir });
  if (!read.ok) throw new Error(read.mistakes.join('\n'));
  const logger = createLogger({ level: 'silent', nodeId: 'node-0' });
  const started = await startDaemon({ config: read.config, logger, listener: null, version: 'test' });
  if (!started.ok) throw new Error(started.message);
  onTestFinished(async () => void (await started.daemon.stop('drain')));
  await started.daemon.booted;
  return started.daemon;
};

/** Ordered, and waited for without a pause worth mentioning. */
const order = async (daemon: DaemonApi, what: 'drain' | 'preload', to: string): Promise<void> => {
  const { status, body } = await daemon.ask('POST', `/v2/pools/pool-0/${what}`, what === 'drain' ? { deadline_ms: 0 } : undefined);
  expect(status, JSON.stringify(body)).toBe(202);
  const limit = performance.now() + 15_000;
  for (;;) {
    const { state, substate, reason } = (await daemon.ask('GET', '/v2/pools/pool-0/status')).body;
    if (`${state}.${substate}` === to) return;
    if (performance.now() > limit) throw new Error(`waited 15 s for ${to} after ${what}, found ${state}.${substate}: ${JSON.stringify(reason)}`);
    await wait(8);
  }
};

interface Metered {
  readonly files: number;
  /** Bytes. */
  readonly live: number;
  readonly resident: number;
}

/** The least of a few looks: requests come and go. */
const meter = async (pid: number, heap: Heap): Promise<Metered> => {
  const looks: Metered[] = [];
  for (let look = 0; look < 3; look += 1) {
    await wait(30);
    looks.push({ files: openFiles(pid), live: await heap.live(), resident: residentBytes(pid) ?? Number.NaN });
  }
  const least = (of: (one: Metered) => number) => Math.min(...looks.map(of));
  return { files: least((one) => one.files), live: least((one) => one.live), resident: least((one) => one.resident) };
};

/** By how much the least of the later half is above that of the earlier. The first fifth is compiled and cached, and does not count. */
const grown = (bytes: readonly number[]): number => {
  const warm = bytes.slice(Math.floor(bytes.length / 5));
  const half = Math.floor(warm.length / 2);
  return Math.min(...warm.slice(half)) - Math.min(...warm.slice(0, half));
};

/** Timers, sockets, watchers, requests to files. */
const resources = (): number => process.getActiveResourcesInfo().length;

const settled = async (): Promise<number> => {
  const looks: number[] = [];
  for (let look = 0; look < 20; look += 1) {
    await wait(25);
    looks.push(resources());
  }
  return Math.min(...looks);
};
