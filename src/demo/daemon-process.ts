/**
 * The daemon of a demo: `serve` as a process, as a person would run it, in a session of its own so that Ctrl-C reaches only
 * the demo.
 *
 * Its undo is `end`: SIGTERM drains every pool; past the limit it is told to hurry, then killed together with its engines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { ownCommand } from '../os/self.ts';
import { killEngines } from './engines.ts';
import type { House } from './house.ts';
import type { DemoPorts } from './ports.ts';

export interface DaemonProcess {
  readonly pid: number;
  readonly url: string;
  readonly metricsUrl: string;
  /** How it ended, in words, with the end of its log where that was not in order. */
  readonly exited: Promise<string>;
  /** Resolves with what is wrong with its end; null: nothing. Twice is once; `hurry` may come later. */
  readonly end: () => Promise<string | null>;
  /** Stops waiting for pools to drain: their engines are killed, and that is then no fault. */
  readonly hurry: () => void;
}

export interface DaemonOptions {
  readonly house: House;
  readonly ports: DemoPorts;
  readonly orchestratorUrl: string;
  readonly signal: AbortSignal;
}

export const nodeId = 'demo';

const startsWithinMs = 20_000;
/** More than the daemon itself takes for pools with the limits of this demo. */
const endsWithinMs = 45_000;
const hurriesWithinMs = 5_000;

export const startDaemonProcess = async ({ house, ports, orchestratorUrl, signal }: DaemonOptions): Promise<DaemonProcess> => {
  const output = openSync(house.logFile, 'a', 0o600);
  const [program, args] = ownCommand('serve');
  const child = spawn(program, args, {
    env: environment(house, ports, orchestratorUrl),
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  const exited = exitOf(child, house.logFile);
  let hurried = false;
  const end = once(async () => {
    const how = await endInOrder(child, exited);
    const left = await killEngines(house.stateDir);
    if (left.length > 0) return `engines that cannot be killed: ${left.map(({ poolId, pid }) => `${poolId} (pid ${pid})`).join(', ')}`;
    return hurried || how === inOrder ? null : `the daemon ${how}`;
  });
  const hurry = (): void => {
    hurried = true;
    child.kill('SIGTERM');
  };
  try {
    const { url, metrics_url: metricsUrl } = await Promise.race([listening(house.logFile, signal), exited.then(neverListened)]);
    return { pid: child.pid ?? 0, url, metricsUrl, exited, end, hurry };
  } catch (thrown) {
    await end();
    throw thrown;
  }
};

/** Nothing that was meant for another daemon. */
const environment = (house: House, ports: DemoPorts, orchestratorUrl: string): NodeJS.ProcessEnv => {
  const { PATH, HOME, LANG, TMPDIR, NODE_COMPILE_CACHE, POOL_MANAGERD_LOG_LEVEL = 'info', POOL_MANAGERD_INSPECT } = process.env;
  return {
    ...{ PATH, HOME, LANG, TMPDIR, NODE_COMPILE_CACHE, POOL_MANAGERD_INSPECT },
    // Where it listens is read from its log.
    POOL_MANAGERD_LOG_LEVEL: ['trace', 'debug'].includes(POOL_MANAGERD_LOG_LEVEL) ? POOL_MANAGERD_LOG_LEVEL : 'info',
    POOL_MANAGERD_BIND_ADDR: `127.0.0.1:${ports.api}`,
    PROMETHEUS_METRICS_PORT: String(ports.metrics),
    POOL_MANAGERD_PORT_RANGE: `${ports.engines.first}-${ports.engines.last}`,
    POOL_MANAGERD_NODE_ID: nodeId,
    POOL_MANAGERD_CONFIG: house.poolsFile,
    POOL_MANAGERD_STATE_DIR: house.stateDir,
    POOL_MANAGERD_RUNTIME_DIR: house.runtimeDir,
    POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB',
    POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS: '1000',
    POOL_MANAGERD_LAUNCHER: 'detached',
    POOL_MANAGERD_SHUTDOWN: 'drain',
    POOL_MANAGERD_HEARTBEAT_INTERVAL_SECS: '2',
    ORCHESTRATORD_URL: orchestratorUrl,
  };
};

const listeningLine = v.pipe(v.string(), v.parseJson(), v.object({ msg: v.literal('listening'), url: v.string(), metrics_url: v.string() }));

const listening = async (logFile: string, signal: AbortSignal): Promise<v.InferOutput<typeof listeningLine>> => {
  const limit = performance.now() + startsWithinMs;
  while (performance.now() < limit) {
    for (const line of linesOf(logFile)) {
      const parsed = v.safeParse(listeningLine, line);
      if (parsed.success) return parsed.output;
    }
    await wait(20, undefined, { signal });
  }
  throw new Error(`the daemon did not listen within ${startsWithinMs / 1000} s\n${lastLines(logFile)}`);
};

const neverListened = (how: string): never => {
  throw new Error(`before it listened, the daemon ${how}`);
};

const endInOrder = async (child: ChildProcess, exited: Promise<string>): Promise<string> => {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  if (!(await within(exited, endsWithinMs))) child.kill('SIGTERM');
  if (!(await within(exited, hurriesWithinMs))) child.kill('SIGKILL');
  return exited;
};

const inOrder = 'ended with 0';

const exitOf = (child: ChildProcess, logFile: string): Promise<string> =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(code === 0 ? inOrder : `ended with ${code ?? signal}\n${lastLines(logFile)}`));
  });

const within = (promise: Promise<unknown>, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });

const once = <T>(work: () => Promise<T>): (() => Promise<T>) => {
  let running: Promise<T> | null = null;
  return () => {
    running ??= work();
    return running;
  };
};

const linesOf = (file: string): readonly string[] => readFileSync(file, 'utf8').split('\n');

const toldLines = 15;

/** What the daemon said last, for somebody who must find out why. */
const lastLines = (file: string): string => linesOf(file).slice(-toldLines).join('\n').trimEnd();
