/**
 * Follows what the kernel says from now on: `/dev/kmsg` where that may be opened, else the journal. Judges nothing.
 *
 * What is `wanted` is handed on as it comes, within a quarter of a second. No read waits, a flood is read in pieces between
 * which others have their turn, and the child of the second way ends with the daemon.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { helper } from './helper.ts';
import { type KernelMessage, parseRecord, readPiece } from './kernel-log.ts';
import { startTool } from './start-tool.ts';

export interface FollowOptions {
  /** `/dev/kmsg`, or a file with lines of the same form that only grows. */
  readonly file: string;
  readonly wanted: (text: string) => boolean;
  readonly onMessage: (message: KernelMessage) => void;
  /** Told at the beginning and whenever it changes: how it is read, or in one sentence why not. */
  readonly onStanding: (standing: Standing) => void;
  /** How the second way is begun; for tests. */
  readonly journalctl?: string;
}

export type Standing = { readonly way: 'file' | 'journal' } | { readonly way: 'none'; readonly why: string };

const pollMs = 250;
const longestRecord = 8 * 1024;
/** Records, or buffers of a file, that are read before others have their turn. */
const inOneGo = 128;
const firstRetryMs = 5_000;
const lastRetryMs = 300_000;
/** Whoever may read the journal has been shown its last line by then. */
const silenceMs = 5_000;

/** Returns what stops it. */
export const followKernelLog = (options: FollowOptions): (() => void) => {
  const end = new AbortController();
  let told = '';
  const tell = (standing: Standing): void => {
    const text = JSON.stringify(standing);
    if (end.signal.aborted || text === told) return;
    told = text;
    options.onStanding(standing);
  };
  void follow(options, end.signal, tell);
  return () => end.abort();
};

type Tell = (standing: Standing) => void;

/** Both ways are tried again for ever, ever more slowly: a device may come late, and a journal may be restarted. */
const follow = async (options: FollowOptions, signal: AbortSignal, tell: Tell): Promise<void> => {
  // Nothing is told before whoever asked has what stops it.
  await nextTurn();
  for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(lastRetryMs, retryMs * 2)) {
    const noFile = await followFile(options, signal, tell);
    const noJournal = signal.aborted ? '' : await followJournal(options, signal, tell);
    tell({ way: 'none', why: `${noFile}; ${noJournal}` });
    await pause(retryMs, signal);
  }
};

/** Ends with why it cannot go on. */
const followFile = async ({ file, wanted, onMessage }: FollowOptions, signal: AbortSignal, tell: Tell): Promise<string> => {
  const fd = opened(file);
  if (typeof fd === 'string') return fd;
  const buffer = Buffer.allocUnsafe(longestRecord);
  const lines = splitter();
  let isOld = true;
  try {
    while (!signal.aborted) {
      for (let read = 1; ; read += 1) {
        const piece = readPiece(fd, buffer);
        if (piece === 'end') break;
        for (const line of piece === 'overwritten' ? [] : lines(piece)) {
          const message = isOld ? null : parseRecord(line);
          if (message !== null && wanted(message.text)) onMessage(message);
        }
        if (read % inOneGo === 0) await nextTurn();
        if (signal.aborted) return '';
      }
      if (isOld) tell({ way: 'file' });
      isOld = false;
      await pause(pollMs, signal);
    }
    return '';
  } catch (thrown) {
    return `${file} cannot be read any more (${thrown instanceof Error ? thrown.message : String(thrown)})`;
  } finally {
    closeSync(fd);
  }
};

const opened = (file: string): number | string => {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    return `${file} cannot be opened (${thrown instanceof Error ? thrown.message : String(thrown)})`;
  }
};

/** Whole lines; what has no end yet waits, and is dropped where it gets too long to be a record. */
const splitter = (): ((piece: string) => readonly string[]) => {
  let rest = '';
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > longestRecord) rest = '';
    return lines;
  };
};

const journalArgv = ['--dmesg', '--boot', '--quiet', '--no-pager', '--follow', '--lines=1', '--output=json'];

/** Ends with why it cannot go on. Its first line is an old one, and shows that the journal may be read. */
const followJournal = ({ wanted, onMessage, journalctl = 'journalctl' }: FollowOptions, signal: AbortSignal, tell: Tell): Promise<string> =>
  new Promise((resolve) => {
    const child = startTool(helper(journalctl, journalArgv), { env: process.env }, (error) => settle(`journalctl cannot be run (${error.message})`));
    let shown = false;
    const settle = (why: string): void => {
      clearTimeout(silence);
      signal.removeEventListener('abort', stop);
      child?.kill('SIGKILL');
      child?.stdout.destroy();
      child?.unref();
      resolve(why);
    };
    const stop = (): void => settle('');
    const silence = setTimeout(() => settle('the journal shows no message of the kernel to this user (group systemd-journal or adm)'), silenceMs);
    signal.addEventListener('abort', stop);
    if (child === null) return;
    child.stderr.resume();
    createInterface({ input: child.stdout }).on('line', (line) => {
      clearTimeout(silence);
      if (!shown) {
        shown = true;
        return tell({ way: 'journal' });
      }
      const message = parseJournalLine(line);
      if (message !== null && wanted(message.text)) onMessage(message);
    });
    child.once('close', (code) => settle(`journalctl ended (exit status ${code ?? 'unknown'})`));
  });

const parseJournalLine = (line: string): KernelMessage | null => {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null) return null;
    const [text, micros] = [Reflect.get(entry, 'MESSAGE'), Reflect.get(entry, '_SOURCE_MONOTONIC_TIMESTAMP')];
    return typeof text === 'string' ? { mono: Number(micros ?? 0) / 1000, text } : null;
  } catch {
    return null;
  }
};

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
