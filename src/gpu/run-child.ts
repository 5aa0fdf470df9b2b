/**
 * Runs a GPU tool as a child process that cannot hold the daemon: every run settles by its deadline, also when the child sits
 * in a driver call that no signal ends. Such a child is killed, let go of, and remembered until it is really gone.
 *
 * One child at a time: while one is stuck, no other is started. What output means is for others to say.
 */
import { stamp } from '../clock.ts';
import { helper } from '../os/helper.ts';
import { startTool, type Tool } from '../os/start-tool.ts';

export interface Stuck {
  readonly pid: number;
  /** Wall clock and monotonic milliseconds of its start. */
  readonly sinceAt: number;
  readonly sinceMono: number;
}

export type ChildResult =
  | { readonly end: 'exited'; readonly exitCode: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string }
  | { readonly end: 'not_run'; readonly error: string; readonly errno: string | null }
  | { readonly end: 'too_much'; readonly limitBytes: number }
  /** Of this run, or of an earlier one that is still there; then nothing was started. */
  | { readonly end: 'stuck'; readonly stuck: Stuck }
  | { readonly end: 'closed' };

export interface ChildRunner {
  /** Not to be called while a run is under way. */
  run(argv: readonly string[], deadlineMs: number): Promise<ChildResult>;
  /** Kills what runs, without waiting for it; a run under way ends as `closed`, and so does every later one. */
  close(): void;
}

export interface ChildRunnerOptions {
  readonly executable: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output and error together; more is a failure, not a truncation. */
  readonly maxOutputBytes?: number;
  /** A child of somebody else that is killed and not gone: it counts as if it were one of these. */
  readonly stuckElsewhere?: () => Stuck | null;
  /** Anything but SIGKILL is for tests that need a child which will not die. */
  readonly killSignal?: NodeJS.Signals;
}

const defaultMaxOutputBytes = 8 * 1024 * 1024;

export const childRunner = (options: ChildRunnerOptions): ChildRunner => {
  const limitBytes = options.maxOutputBytes ?? defaultMaxOutputBytes;
  const killSignal = options.killSignal ?? 'SIGKILL';
  let stuck: Stuck | null = null;
  let closed = false;
  let interrupt: (() => void) | null = null;

  const run = (argv: readonly string[], deadlineMs: number): Promise<ChildResult> => {
    if (closed) return Promise.resolve({ end: 'closed' });
    const left = stuck ?? options.stuckElsewhere?.() ?? null;
    if (left !== null) return Promise.resolve({ end: 'stuck', stuck: left });
    return new Promise((resolve) => {
      const child = startTool(helper(options.executable, argv, options.env['PATH']), { env: { ...options.env, LC_ALL: 'C' } }, (error) =>
        settle({ end: 'not_run', error: error.message, errno: error.code ?? null }),
      );
      const started = stamp();
      let deadline: NodeJS.Timeout | undefined;
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let bytes = 0;
      let settled = false;

      const settle = (result: ChildResult): void => {
        if (settled) return;
        settled = true;
        clearTimeout(deadline);
        interrupt = null;
        resolve(result);
      };
      if (child === null) return;
      const exited = (): ChildResult => ({
        end: 'exited',
        exitCode: child.exitCode,
        signal: child.signalCode,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
      const abandon = (result: (left: Stuck) => ChildResult): void => {
        const left: Stuck = { pid: child.pid ?? 0, sinceAt: started.at, sinceMono: started.mono };
        letGo(child, killSignal, () => {
          if (stuck === left) stuck = null;
        });
        if (isRunning(child)) stuck = left;
        settle(result(left));
      };
      const collect = (into: Buffer[]) => (chunk: Buffer) => {
        if (settled) return;
        bytes += chunk.length;
        if (bytes > limitBytes) abandon(() => ({ end: 'too_much', limitBytes }));
        else into.push(chunk);
      };

      /** A child that ended but left its pipe to a child of its own has said what it had to say. */
      const atDeadline = (): void => abandon((left) => (isRunning(child) ? { end: 'stuck', stuck: left } : exited()));

      deadline = setTimeout(atDeadline, Math.max(0, deadlineMs));
      interrupt = () => abandon(() => ({ end: 'closed' }));
      child.stdout.on('data', collect(stdout));
      child.stderr.on('data', collect(stderr));
      child.once('close', () => settle(exited()));
    });
  };

  return {
    run,
    close: () => {
      closed = true;
      interrupt?.();
    },
  };
};

const isRunning = (child: Tool): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

/** Kills without waiting; neither the child nor its pipes keep the daemon alive from here on. */
const letGo = (child: Tool, signal: NodeJS.Signals, gone: () => void): void => {
  child.once('exit', gone);
  child.stdout.removeAllListeners('data').destroy();
  child.stderr.removeAllListeners('data').destroy();
  child.kill(signal);
  child.unref();
};
