/**
 * Starts a process that waits: a shell in its own session that becomes the engine once it is told to, and ends by itself when
 * the daemon goes away first. Its pid and start time are the engine's, so the record can be on disk before the engine runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setImmediate as breathe } from 'node:timers/promises';
import { CauseError } from '../../cause.ts';
import type { LaunchPlan } from '../../engines/adapter.ts';
import type { Cause, EngineExit } from '../../machines/vocabulary.ts';
import { inheritedFds } from '../../os/inherited-fds.ts';

export interface Gate {
  readonly pid: number;
  readonly child: ChildProcess;
  readonly exited: Promise<EngineExit>;
  /** The engine begins. */
  open(): void;
  /** Nothing of the engine ever runs. Resolves when the shell is gone. */
  close(): Promise<void>;
}

/** How the shell names itself when it cannot start the engine. */
export const gateName = 'pool-managerd-launch';
const goFd = 3;
const fifoFd = 4;

/** Shells set these themselves; the engine gets what was planned. */
const shellVariables = ['PWD', 'OLDPWD', 'SHLVL'];
/** Not the daemon's protection from the OOM killer, and no core dumps of whole models. */
const script = (env: LaunchPlan['env']): string =>
  [
    `read -r pool_managerd_go <&${goFd} || exit 0`,
    `exec ${goFd}<&-`,
    '{ echo 300 >/proc/self/oom_score_adj; } 2>/dev/null',
    'ulimit -c 0',
    `unset pool_managerd_go ${shellVariables.filter((name) => !(name in env)).join(' ')}`,
    'exec "$@"',
  ].join('\n');

export const startGate = async (plan: LaunchPlan, files: { readonly log: string; readonly fifoWriteEnd: number }): Promise<Gate> => {
  refuseOddNames(plan.env);
  await turnToFork();
  const child = await spawned(() => spawnShell(plan, files));
  const pid = child.pid;
  const go = child.stdio[goFd];
  if (pid === undefined || !(go instanceof Socket)) throw new Error('a child that was spawned has a pid and the pipe it was given');
  const exited = new Promise<EngineExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  // A shell that was killed meanwhile does not read; its exit is what tells.
  go.on('error', () => undefined);
  child.unref();
  // Nor does one that is stopped, and whoever ends waits for neither.
  go.unref();
  return {
    pid,
    child,
    exited,
    open: () => {
      go.end('go\n');
    },
    close: async () => {
      child.ref();
      go.destroy();
      child.kill('SIGKILL');
      await exited;
    },
  };
};

let lastFork: Promise<void> = Promise.resolve();

/** A fork holds up the loop for a millisecond or more: between two of them it answers who asks. */
const turnToFork = (): Promise<void> => {
  lastFork = lastFork.then(() => breathe());
  return lastFork;
};

const spawnShell = (
  { executable, argv, env }: LaunchPlan,
  { log, fifoWriteEnd }: { readonly log: string; readonly fifoWriteEnd: number },
): ChildProcess => {
  const output = openSync(log, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  const nothing = openSync('/dev/null', 'r');
  try {
    const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', output, output, 'pipe', fifoWriteEnd];
    for (const fd of inheritedFds()) if (fd > fifoFd) stdio[fd] = nothing;
    return spawn('/bin/sh', ['-c', script(env), gateName, executable, ...argv], {
      cwd: '/',
      detached: true,
      env,
      stdio: Array.from(stdio, (one) => one ?? 'ignore'),
    });
  } finally {
    closeSync(nothing);
    closeSync(output);
  }
};

const spawned = async (start: () => ChildProcess): Promise<ChildProcess> => {
  try {
    const child = start();
    await once(child, 'spawn');
    return child;
  } catch (thrown) {
    throw new CauseError(notSpawned(thrown));
  }
};

const notSpawned = (thrown: unknown): Cause => {
  const errno = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
  const found = thrown instanceof Error ? thrown.message : String(thrown);
  switch (errno) {
    case 'E2BIG':
      return { code: 'invalid_spec', message: `the kernel refused the engine's command line as too long (${found}); shorten \`flags\` or \`env\`` };
    case 'EAGAIN':
    case 'ENOMEM':
    case 'EMFILE':
    case 'ENFILE':
      return { code: 'insufficient_host_memory', message: `the machine has no room for another process: ${found}`, details: { errno } };
    default:
      return { code: 'engine_exited', message: `the engine could not be started: ${found}`, details: { errno } };
  }
};

/** A shell drops variables that it could not name, and the engine is to get all of them. */
const refuseOddNames = (env: LaunchPlan['env']): void => {
  const odd = Object.keys(env).find((name) => !/^[A-Za-z_]\w*$/.test(name));
  if (odd === undefined) return;
  throw new CauseError({ code: 'invalid_spec', message: `expected \`env\` names of letters, digits and _, found ${JSON.stringify(odd)}` });
};
