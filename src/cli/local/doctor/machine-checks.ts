/** What the daemon needs of the machine besides GPUs: directories, ports, limits, clock, the kernel's log. Changes nothing. */
import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Environment } from '../../../config/environment.ts';
import { followKernelLog, type Standing } from '../../../os/follow-kernel-log.ts';
import { bindingFails } from './binding.ts';
import { type Check, fail, inWords, ok, unknown, warn } from './check.ts';

const gib = 1024 ** 3;
const leastFreeBytes = gib;
const leastOpenFiles = 4_096;
const kernelLogWaitMs = 8_000;

export const machineChecks = async (environment: Environment, proc: string): Promise<readonly Check[]> => {
  const { bind, metrics, stateDir, runtimeDir, cacheDir, portRange, kernelLog, launcher } = environment;
  return Promise.all([
    directoryCheck('state directory', stateDir),
    directoryCheck('runtime directory', runtimeDir),
    directoryCheck('cache directory', cacheDir),
    portCheck('API port', bind.host, bind.port),
    ...(metrics === null ? [] : [portCheck('metrics port', metrics.host, metrics.port)]),
    portRangeCheck(portRange),
    ...(launcher === 'systemd' ? [launcherCheck()] : []),
    openFilesCheck(proc),
    clockCheck(),
    kernelLogCheck(kernelLog),
  ]);
};

/** One that is not there is made by the daemon, where it may be. */
const directoryCheck = async (name: string, path: string): Promise<Check> => {
  const existing = await nearestExisting(path);
  try {
    await access(existing, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(existing);
    const free = Number(bavail) * Number(bsize);
    const found = `${path}, ${(free / gib).toFixed(1)} GiB free${existing === path ? '' : ' (to be made)'}`;
    return free < leastFreeBytes ? warn(name, found, 'make room: a full disk keeps the daemon from remembering what it does') : ok(name, found);
  } catch (thrown) {
    return fail(name, `${existing} cannot be written: ${inWords(thrown)}`, 'correct its owner or mode, or set another directory');
  }
};

const nearestExisting = async (path: string): Promise<string> => {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearestExisting(dirname(path));
};

/** A daemon that runs has it, which is as it should be. */
const portCheck = async (name: string, host: string, port: number): Promise<Check> => {
  const problem = port === 0 ? null : await bindingFails(host, port);
  if (problem === null) return ok(name, port === 0 ? 'a free one is taken' : `${host}:${port} is free`);
  return problem.includes('EADDRINUSE')
    ? warn(name, `${host}:${port} is in use`, 'fine if it is pool-managerd (pool-managerd status); else end that process or set another port')
    : fail(name, `${host}:${port}: ${problem}`, 'set an address of this machine');
};

const mostTried = 32;

const portRangeCheck = async ({ first, last }: { readonly first: number; readonly last: number }): Promise<Check> => {
  const tried = Array.from({ length: Math.min(mostTried, last - first + 1) }, (_, index) => first + index);
  const taken = (await Promise.all(tried.map((port) => bindingFails('127.0.0.1', port)))).filter((problem) => problem !== null).length;
  const found = `${first}-${last}: ${tried.length - taken} of the first ${tried.length} are free`;
  return taken === tried.length ? fail('engine ports', found, 'set another POOL_MANAGERD_PORT_RANGE') : ok('engine ports', found);
};

/** Written by the daemon, read by the units that run engines. */
const specsDir = '/run/pool-managerd/specs';

/** Only where it is asked for: by itself the daemon takes what is there. */
const launcherCheck = async (): Promise<Check> => {
  try {
    await access('/run/systemd/system', constants.R_OK);
    await access(specsDir, constants.W_OK);
    return ok('launcher', 'systemd');
  } catch (thrown) {
    const found = `POOL_MANAGERD_LAUNCHER=systemd wants systemd and ${specsDir}, which this user may write; found ${inWords(thrown)}`;
    return fail('launcher', found, 'install the package and run the daemon as its service, or leave the variable out');
  }
};

const openFilesCheck = async (proc: string): Promise<Check> => {
  const limits = await readFile(join(proc, 'self/limits'), 'utf8').catch(() => null);
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return unknown('open files', 'the limit is not told');
  return soft !== 'unlimited' && Number(soft) < leastOpenFiles
    ? warn(
        'open files',
        `at most ${soft}`,
        `raise it to ${leastOpenFiles} at least (ulimit -n, LimitNOFILE=): each engine and each client takes some`,
      )
    : ok('open files', `at most ${soft}`);
};

/** Intervals are measured by another clock; this one is in logs, tokens and certificates. */
const clockCheck = async (): Promise<Check> => {
  const [installed, synchronised] = await Promise.all([
    stat(import.meta.filename).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
    access('/run/systemd/timesync/synchronized').then(
      () => true,
      () => false,
    ),
  ]);
  const now = new Date();
  if (now.getTime() < installed - 24 * 60 * 60 * 1000)
    return fail('clock', `${now.toISOString()} is before this program was installed`, 'set the time, and let it be kept (timedatectl set-ntp true)');
  return synchronised ? ok('clock', 'kept by systemd-timesyncd') : unknown('clock', `${now.toISOString()}; who keeps it is not known here`);
};

const kernelLogCheck = async (file: string): Promise<Check> => {
  const standing = await new Promise<Standing>((resolve) => {
    const stop = followKernelLog({ file, wanted: () => false, onMessage: () => undefined, onStanding: (told) => settle(told) });
    const timer = setTimeout(() => settle({ way: 'none', why: 'no answer' }), kernelLogWaitMs);
    const settle = (told: Standing): void => {
      clearTimeout(timer);
      stop();
      resolve(told);
    };
  });
  if (standing.way !== 'none') return ok('kernel log', standing.way === 'file' ? `${file} is read` : 'the journal is read');
  return warn('kernel log', standing.why, 'errors of GPUs (Xids) are not seen: add this user to the group systemd-journal or adm');
};
