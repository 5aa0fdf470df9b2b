/**
 * The real daemon as a child process, in a folder of its own, on free ports, with simulated GPUs. Killed, ended and started
 * again on the same folder; when the test ends, no process that has a file of that folder open is left, and no secret in a file.
 *
 * What the daemon is asked is in `daemon-api.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'vitest';
import { writeStubExecutable } from '../../src/demo/stub-executable.ts';
import { secondBerthOf } from '../../src/machines/policies/berths.ts';
import { type DaemonApi, daemonApi } from './daemon-api.ts';
import { freePorts } from './free-ports.ts';
import { commandUnderTest, compiledUnderTest, stubUnderTest } from './package-under-test.ts';
import { processesIn } from './processes-in.ts';
import { until } from './until.ts';

/** As in the pools file. */
export type Declared = Readonly<Record<string, unknown>> & { readonly id: string };

type Changes = Readonly<Record<string, unknown>> & { readonly env?: Readonly<Record<string, string>> };

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly ms: number;
}

/** One line of the daemon's log. */
export type LogRecord = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface Daemon extends DaemonApi {
  readonly pid: number;
  readonly url: string;
  readonly ended: Promise<Ended>;
  log(): readonly LogRecord[];
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<Ended>;
}

/** A daemon that may not be up yet. */
export interface Beginning {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when the API listens and the state directory has been read. */
  up(): Promise<Daemon>;
}

export interface EngineRun {
  readonly pid: number;
  readonly port: number;
  readonly endpoint: string;
  readonly incarnation: string;
  readonly startedMono: number;
}

export interface House {
  readonly dir: string;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly poolsFile: string;
  /** Any file will do for the stub. */
  readonly model: string;
  readonly ports: { readonly first: number; readonly last: number };
  /** A pool on the stub engine, quick in everything; `env` is added to the quick one. */
  stub(id: string, changes?: Changes): Declared;
  /** Writes the pools file, as an editor does; text is written as it is. */
  declare(pools: readonly Declared[] | string): Promise<void>;
  /** Starts one and waits for nothing. `under`: a command that becomes the daemon, as `strace -D` does. */
  begin(env?: Readonly<Record<string, string>>, under?: readonly string[]): Beginning;
  /** Resolves when the API listens and the state directory has been read. */
  start(env?: Readonly<Record<string, string>>): Promise<Daemon>;
  /** For a start that is expected to be refused. */
  refused(env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** What the run records of a pool say of its engines, the oldest first; two while one takes the place of the other. */
  runs(id: string): readonly EngineRun[];
  /** The youngest of them; null: there is none. */
  run(id: string): EngineRun | null;
  /** What is remembered of a pool for the next daemon; null: nothing. */
  memory(id: string): { readonly wanted: string; readonly retry: object | null } | null;
  /** Pids of processes besides daemons that have a file of this folder open. */
  left(): readonly number[];
}

export interface OpenHouse extends House {
  /** Ends every process of the folder, and the folder. Rejects where the canary was written into any file of it. */
  close(): Promise<void>;
  /** What its daemons have written, for people. */
  said(): string;
}

/** For `describe`: real processes on a busy machine take their time. */
export const patient = { timeout: 60_000 };

/** A secret that every daemon of the tests has in its environment and no business to write down or hand on. */
const canary = 'canary-4f1d0c7be2';

/** Files below a folder that contain a text, sockets and FIFOs left out. */
export const filesWith = (dir: string, text: string): readonly string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    // A test's model of many gigabytes is a hole, and longer than what can be read at once.
    .filter((file) => statSync(file).size < longestRead && readFileSync(file).includes(text));

const longestRead = 1024 ** 3;

const tokenIn = ({ LLORCH_API_TOKEN: token, LLORCH_API_TOKEN_FILE: file }: Readonly<Record<string, string>>): string | null =>
  token ?? (file === undefined ? null : readFileSync(file, 'utf8'));

/** `EXECUTABLE=dist/pool-managerd` has that one tested. */
const executable = process.env['EXECUTABLE'] ? resolve(process.env['EXECUTABLE']) : null;
const portsPerHouse = 8;

/** `context` of the test that it ends with. `program`: what is started in the place of the package. */
export const daemonHouse = async (
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  env: Readonly<Record<string, string>> = {},
  program: string | null = executable,
): Promise<House> => {
  const house = await openHouse(env, program);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(house.said());
    await house.close();
  });
  return house;
};

/** Without a test that it ends with: to be closed. */
export const openHouse = async (env: Readonly<Record<string, string>> = {}, instead: string | null = executable): Promise<OpenHouse> => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-managerd-e2e-'));
  const stateDir = join(dir, 'state');
  const runtimeDir = join(dir, 'engines');
  const poolsFile = join(dir, 'pools.yaml');
  const model = join(dir, 'model.gguf');
  const ports = await freePorts(portsPerHouse);
  const [command, compiled, stub] = await Promise.all([commandUnderTest(), compiledUnderTest(), stubUnderTest()]);
  const engine = await writeStubExecutable(join(dir, 'bin'), stub);
  const program = instead === null ? [process.execPath, command] : [instead];
  await mkdir(runtimeDir);
  await writeFile(model, 'a model');
  const children: Child[] = [];

  const ownEnv: Readonly<Record<string, string>> = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir,
    NODE_COMPILE_CACHE: compiled,
    HF_TOKEN: canary,
    POOL_MANAGERD_BIND_ADDR: '127.0.0.1:0',
    PROMETHEUS_METRICS_PORT: '0',
    POOL_MANAGERD_NODE_ID: 'node-0',
    POOL_MANAGERD_GPU_SOURCE: 'simulated:2x24GiB',
    POOL_MANAGERD_LAUNCHER: 'detached',
    POOL_MANAGERD_CONFIG: poolsFile,
    POOL_MANAGERD_STATE_DIR: stateDir,
    POOL_MANAGERD_RUNTIME_DIR: runtimeDir,
    POOL_MANAGERD_WATCH_INTERVAL_MS: '200',
    POOL_MANAGERD_GPU_DISCOVERY_INTERVAL_MS: '1000',
    POOL_MANAGERD_PORT_RANGE: `${ports.first}-${ports.last}`,
    ...env,
  };
  const launch = (more: Readonly<Record<string, string>>, under: readonly string[] = []): Child => {
    const child = launchDaemon(dir, children.length, { ...ownEnv, ...more }, [...under, ...program]);
    children.push(child);
    return child;
  };
  const daemonPids = (): readonly number[] => children.flatMap(({ process: { pid } }) => pid ?? []);

  const begin = (more: Readonly<Record<string, string>> = {}, under: readonly string[] = []): Beginning => {
    const child = launch(more, under);
    return {
      pid: child.process.pid ?? 0,
      ended: child.ended,
      signal: (signal) => void child.process.kill(signal),
      up: async () => {
        const listening = await Promise.race([
          until('the daemon to listen', () => recordsOf(child.output()).find(({ msg }) => msg === 'listening'), 30_000),
          child.ended.then(({ code, stderr }) => Promise.reject(new Error(`the daemon ended with ${code}: ${stderr}`))),
        ]);
        const daemon = daemonOf(child, String(listening['url']), tokenIn({ ...ownEnv, ...more }));
        await until('the daemon to know its pools', async () => (await daemon.node()).lifecycle !== 'booting');
        return daemon;
      },
    };
  };

  return {
    dir,
    stateDir,
    runtimeDir,
    poolsFile,
    model,
    ports,
    stub: (id, changes = {}) => ({
      ...quickPool(id, model, engine),
      ...changes,
      env: { STUB_LOAD_MS: '0', NODE_COMPILE_CACHE: compiled, ...changes.env },
    }),
    declare: (pools) => writeFile(poolsFile, typeof pools === 'string' ? pools : JSON.stringify({ pools }, null, 1)),
    begin,
    start: (more = {}) => begin(more).up(),
    refused: (more = {}) => begin(more).ended,
    runs: (id) => runsOf(stateDir, id),
    run: (id) => runsOf(stateDir, id).at(-1) ?? null,
    memory: (id) =>
      readState<{ wanted: string; retry: object | null }>(stateDir, 'pools', id) ??
      readState<{ wanted: string; retry: object | null }>(stateDir, 'pools', secondBerthOf(id)),
    left: () => processesIn(dir).filter((pid) => !daemonPids().includes(pid)),
    said: () => children.map(said).join('\n'),
    close: async () => {
      for (const child of children) child.process.kill('SIGKILL');
      await Promise.all(children.map(({ ended }) => ended));
      await endAll(dir);
      const leaks = filesWith(dir, canary);
      await rm(dir, { recursive: true, force: true });
      if (leaks.length > 0) throw new Error(`a secret of the daemon's environment was written into ${leaks.join(', ')}`);
    },
  };
};

interface Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly output: () => string;
  readonly errors: () => string;
}

/** Its output goes to files: a daemon that is killed leaves no pipe half read. */
const launchDaemon = (dir: string, index: number, env: Readonly<Record<string, string>>, command: readonly string[]): Child => {
  const [out, err] = [join(dir, `daemon-${index}.log`), join(dir, `daemon-${index}.err`)];
  const begun = performance.now();
  const files = [openSync(out, 'w'), openSync(err, 'w')];
  const [program = '', ...argv] = [...command, 'serve'];
  const child = spawn(program, argv, { cwd: dir, env: { ...env }, stdio: ['ignore', ...files] });
  for (const fd of files) closeSync(fd);
  const errors = () => readFileSync(err, 'utf8');
  const ended = new Promise<Ended>((settle) => {
    child.on('exit', (code, signal) => settle({ code, signal, stderr: errors(), ms: performance.now() - begun }));
  });
  return { process: child, ended, output: () => readFileSync(out, 'utf8'), errors };
};

const said = ({ process: { pid }, output, errors }: Child): string => `--- daemon ${pid} said\n${output().slice(-20_000)}${errors()}`;

const daemonOf = (child: Child, url: string, token: string | null): Daemon => ({
  ...daemonApi(url, token),
  pid: child.process.pid ?? 0,
  url,
  ended: child.ended,
  log: () => recordsOf(child.output()),
  signal: (signal) => void child.process.kill(signal),
  end: (signal = 'SIGTERM') => {
    child.process.kill(signal);
    return child.ended.then(withoutBug);
  },
});

/** What a daemon calls a bug of its own is no way to end, with whatever code. */
const withoutBug = (ended: Ended): Ended => {
  if (ended.stderr.includes('a bug of pool-managerd')) throw new Error(`the daemon said at its end: ${ended.stderr.slice(-2_000)}`);
  return ended;
};

const runsOf = (stateDir: string, id: string): readonly EngineRun[] =>
  [id, secondBerthOf(id)]
    .flatMap((berth) => readState<EngineRun>(stateDir, 'runs', berth) ?? [])
    .sort((one, other) => one.startedMono - other.startedMono);

const readState = <T>(stateDir: string, folder: string, id: string): T | null => {
  const path = join(stateDir, folder, `${id}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
};

/** The last line may be half written. */
const recordsOf = (output: string): readonly LogRecord[] =>
  output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

const quickPool = (id: string, model: string, executable: string): Declared => ({
  id,
  engine: 'llamacpp',
  model,
  devices: [0],
  slots: 2,
  provisioning: { mode: 'external', executable },
  timeouts: { start_stall_ms: 5_000, drain_ms: 5_000, stop_ms: 2_000, vram_release_ms: 5_000 },
  health: { interval_ms: 200, timeout_ms: 1_000 },
  restart: { initial_ms: 100, max_ms: 1_000 },
});

/** A process may start another one while it is looked for. */
const endAll = (dir: string): Promise<unknown> =>
  until(`no process to be left in ${dir}`, () => {
    const left = processesIn(dir);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    return left.length === 0;
  });
