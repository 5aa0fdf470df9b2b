/**
 * Speaks to systemd (sd_notify(3)) from this process, so that `NotifyAccess=main` is enough. Says only what it is told to say;
 * what is healthy is for others to know. Outside systemd every call does nothing.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { stamp } from '../clock.ts';
import { helper } from './helper.ts';
import { startTool } from './start-tool.ts';
import { openDatagramSender, type Sent } from './unix-datagram.ts';

export interface Notifier {
  readonly underSystemd: boolean;
  /** Microseconds within which systemd wants to hear of us; null: it does not. */
  readonly watchdogUsec: number | null;
  /** Resolves when it is with systemd: sent again until the queue takes it. Throws when that is in vain. Also ends a reload. */
  ready(status: string): Promise<void>;
  /** Before a reload is begun. Throws like `ready`. */
  reloading(): Promise<void>;
  /** Throws like `ready`. */
  stopping(status: string): Promise<void>;
  /** One line for `systemctl status`. Lost when the queue is full. */
  status(text: string): void;
  watchdog(): void;
  /** Moves the limit of the start, stop or reload under way to `ms` from now; to be repeated before that. */
  extendTimeout(ms: number): void;
  close(): void;
}

type Send = (text: string) => Sent | Promise<Sent>;
type Environment = Record<string, string | undefined>;

/** Takes NOTIFY_SOCKET and the watchdog's variables out of `env`, so that no child believes it speaks for us. */
export const createNotifier = (env: Environment = process.env): Notifier => {
  const socket = take(env, 'NOTIFY_SOCKET');
  const watchdogUsec = watchdogFor(take(env, 'WATCHDOG_USEC'), take(env, 'WATCHDOG_PID'));
  if (socket === undefined || !/^[@/]./.test(socket)) return silent;
  const sender = openDatagramSender(socket);
  const send: Send = sender?.send ?? byChild(socket);
  return {
    underSystemd: true,
    watchdogUsec,
    ready: (status) => mustSend(send, `READY=1\nSTATUS=${oneLine(status)}`),
    reloading: () => mustSend(send, `RELOADING=1\nMONOTONIC_USEC=${Math.round(stamp().mono * 1000)}`),
    stopping: (status) => mustSend(send, `STOPPING=1\nSTATUS=${oneLine(status)}`),
    status: (text) => maySend(send, `STATUS=${oneLine(text)}`),
    watchdog: () => maySend(send, 'WATCHDOG=1'),
    extendTimeout: (ms) => maySend(send, `EXTEND_TIMEOUT_USEC=${Math.round(ms * 1000)}`),
    close: () => sender?.close(),
  };
};

const nothing = async (): Promise<void> => undefined;
const silent: Notifier = {
  underSystemd: false,
  watchdogUsec: null,
  ready: nothing,
  reloading: nothing,
  stopping: nothing,
  status: () => undefined,
  watchdog: () => undefined,
  extendTimeout: () => undefined,
  close: () => undefined,
};

const take = (env: Environment, name: string): string | undefined => {
  const value = env[name];
  delete env[name];
  return value;
};

/** WATCHDOG_PID names another process where the variables were inherited. */
const watchdogFor = (usec: string | undefined, pid: string | undefined): number | null => {
  if (usec === undefined || (pid !== undefined && Number(pid) !== process.pid)) return null;
  const parsed = Number(usec);
  return Number.isSafeInteger(parsed) && parsed > 0 ? parsed : null;
};

const longestStatus = 500;
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, longestStatus);

/** Below TimeoutStartSec=, so that the failure is told by us. */
const sendWithinMs = 20_000;
const againAfterMs = 5;

const mustSend = async (send: Send, text: string): Promise<void> => {
  const limit = stamp().mono + sendWithinMs;
  for (;;) {
    const sent = await send(text);
    if (sent.kind === 'sent') return;
    const found =
      sent.kind === 'failed' ? `error ${sent.errno}` : stamp().mono > limit ? `a full queue or nobody there for ${sendWithinMs} ms` : null;
    if (found !== null) throw new Error(`expected systemd to take ${text.split('\n', 1)[0]}, found ${found}`);
    await wait(againAfterMs);
  }
};

/** Where it is lost, the next one follows soon. */
const maySend = (send: Send, text: string): void => {
  void send(text);
};

const childWithinMs = 5_000;

/** Where Node has no `node:ffi`. The message is then that of a child: the unit needs `NotifyAccess=all`. */
const byChild =
  (socket: string): Send =>
  (text) =>
    new Promise((resolve) => {
      const env = { NOTIFY_SOCKET: socket, PATH: process.env['PATH'] };
      const child = startTool(helper('systemd-notify', text.split('\n')), { env }, () => settle({ kind: 'failed', errno: 2 }));
      const limit = setTimeout(() => settle({ kind: 'full' }), childWithinMs);
      const settle = (sent: Sent): void => {
        clearTimeout(limit);
        child?.kill('SIGKILL');
        child?.unref();
        resolve(sent);
      };
      child?.stdout.resume();
      child?.stderr.resume();
      child?.once('exit', (code) => settle(code === 0 ? { kind: 'sent' } : { kind: 'failed', errno: code ?? 0 }));
    });
