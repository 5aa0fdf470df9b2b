/**
 * `pool-managerd serve` as a process: configuration, lock, exit codes, signals, systemd. What the daemon is stands in
 * `daemon.ts`.
 *
 * Exit codes: 0 ended in order; 1 it cannot listen or use its directories; 69 no NVIDIA GPU; 70 our bug; 75 another daemon holds
 * the state directory; 78 configuration.
 */
import { flushCompileCache } from 'node:module';
import { homedir, hostname } from 'node:os';
import { setImmediate as offTheStack } from 'node:timers/promises';
import { CauseError } from './cause.ts';
import { type Config, readConfig } from './config/config.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { noGpuExitCode } from './gpu/no-gpu.ts';
import { createLogger, forPart, type Logger } from './observe/logger.ts';
import { leaveAtLatest } from './os/exit-code.ts';
import { inheritedListener } from './os/inherited-listener.ts';
import { lockStateDir } from './os/lock.ts';
import { createNotifier, type Notifier } from './os/notify.ts';
import { answerReload } from './os/reload-answer.ts';
import { distrustOf } from './os/trusted-path.ts';
import { createWatchdog } from './os/watchdog.ts';
import { version } from './version.ts';

export const exitCodes = { done: 0, failed: 1, bug: 70, held: 75, configuration: 78 } as const;

/** What is open then closes itself within milliseconds. */
const longestGoodbyeMs = 5_000;

const refusalCodes = { no_gpu: noGpuExitCode, configuration: exitCodes.configuration, cannot_listen: exitCodes.failed } as const;

export const serveDaemon = async (): Promise<number> => {
  const notifier = createNotifier();
  const listener = inheritedListener();
  // Node would open its debugger on this signal, for anybody of this user.
  process.on('SIGUSR1', () => undefined);
  const read = readConfig(process.env, { hostname: hostname(), home: homedir(), cwd: process.cwd() });
  if (!read.ok) return refuse(read.mistakes, exitCodes.configuration);
  const { config } = read;
  const distrusted = distrustedDirs(config);
  if (distrusted.length > 0) return refuse(distrusted, exitCodes.configuration);
  const lock = lockState(config.environment.stateDir);
  if (typeof lock === 'number') return lock;
  // pino looks at the stack, for which V8 parses again whatever stands on it: at the top of a built form, all of it (140 ms).
  await offTheStack();
  const logger = createLogger({ level: config.environment.logLevel, nodeId: config.environment.nodeId });
  const log = forPart(logger, 'daemon');
  for (const warning of config.warnings) log.warn(warning);
  crashLoudly(log);
  const orders = awaitOrders();
  try {
    const started = await startDaemon({ config, logger, listener, version });
    if (!started.ok) return refuse([started.message], refusalCodes[started.problem]);
    return await live(started.daemon, orders, config, notifier, log);
  } finally {
    notifier.close();
    lock.release();
    leaveAtLatest(longestGoodbyeMs);
  }
};

/** What lies there is believed: run records say what may be ended, handoff files where requests go. */
const distrustedDirs = ({ environment: { stateDir, runtimeDir } }: Config): readonly string[] =>
  (
    [
      ['POOL_MANAGERD_STATE_DIR', stateDir],
      ['POOL_MANAGERD_RUNTIME_DIR', runtimeDir],
    ] as const
  ).flatMap(([name, dir]) => {
    const problem = distrustOf(dir);
    return problem === null ? [] : [`${name}: ${problem}`];
  });

const lockState = (stateDir: string): { readonly release: () => void } | number => {
  try {
    const lock = lockStateDir(stateDir);
    if (lock.ok) return lock;
    const holder = lock.holderPid === null ? 'another process' : `pid ${lock.holderPid}`;
    return refuse(
      [`${holder} holds the state directory ${stateDir}: one daemon per directory; stop it, or set POOL_MANAGERD_STATE_DIR`],
      exitCodes.held,
    );
  } catch (thrown) {
    if (thrown instanceof CauseError) return refuse([thrown.reason.message], exitCodes.failed);
    throw thrown;
  }
};

interface Orders {
  /** The first signal that asks for an orderly end. */
  readonly end: Promise<NodeJS.Signals>;
  /** The second. */
  readonly again: Promise<void>;
}

/** Heard from the first moment on: what comes while the daemon starts is done as soon as it has. */
const awaitOrders = (): Orders => {
  const [end, again] = [Promise.withResolvers<NodeJS.Signals>(), Promise.withResolvers<void>()];
  let signals = 0;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) again.resolve();
      else end.resolve(signal);
    });
  return { end: end.promise, again: again.promise };
};

/** From ready to the end that a signal orders. Resolves with the exit code. */
const live = async (daemon: Daemon, orders: Orders, config: Config, notifier: Notifier, log: Logger): Promise<number> => {
  const stopWatchdog = createWatchdog({ notifier, usec: notifier.watchdogUsec, isHealthy: () => daemon.isHealthy() });
  const sayStatus = setInterval(() => notifier.status(daemon.statusLine()), 5_000);
  process.on('SIGHUP', () => void reload(daemon, notifier, log));
  void orders.again.then(() => daemon.hurry());
  await daemon.booted;
  await notifier.ready(daemon.statusLine()).catch((thrown: unknown) => log.error({ err: thrown }, 'systemd was not told that the daemon is ready'));
  // Where NODE_COMPILE_CACHE is set, the next start finds this one's work.
  flushCompileCache();
  const signal = await orders.end;
  log.info({ signal, mode: config.environment.shutdown }, 'stopping');
  clearInterval(sayStatus);
  await notifier.stopping(`stopping (${config.environment.shutdown})`).catch(() => undefined);
  const extend = setInterval(() => notifier.extendTimeout(10_000), 3_000);
  const end = await daemon.stop(config.environment.shutdown);
  clearInterval(extend);
  stopWatchdog();
  for (const line of end.lines) log[end.unfinished ? 'error' : 'info'](line);
  return end.unfinished ? exitCodes.failed : exitCodes.done;
};

const reload = async (daemon: Daemon, notifier: Notifier, log: Logger): Promise<void> => {
  try {
    await daemon.booted;
    await notifier.reloading();
    const mistakes = daemon.reload();
    for (const mistake of mistakes) log.error(mistake);
    await notifier.ready(mistakes.length === 0 ? daemon.statusLine() : `the pools file is not valid: ${mistakes[0]}`);
    await answerReload(mistakes);
  } catch (thrown) {
    log.error({ err: thrown }, 'reload failed');
  }
};

/** What nobody caught is a bug of ours: said, and the end of the process; engines go on and are adopted by the next. */
const crashLoudly = (log: Logger): void => {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (thrown: unknown) => {
      log.fatal({ err: thrown, stack: thrown instanceof Error ? thrown.stack : null }, `${event}: a bug of pool-managerd; engines go on`);
      process.exit(exitCodes.bug);
    });
};

const refuse = (lines: readonly string[], exitCode: number): number => {
  for (const line of lines) process.stderr.write(`${line}\n`);
  return exitCode;
};
