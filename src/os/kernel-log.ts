/**
 * Reads what the kernel said: from `/dev/kmsg` where that may be opened, else from the journal. Judges nothing.
 *
 * The ring can be read only from its oldest record on; what is not asked for is dropped as it comes. Neither a reader nor the
 * loop ever waits for a message that is still to come, and both ways end at the deadline.
 */
import { constants, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { helper } from './helper.ts';
import { startTool } from './start-tool.ts';

export interface KernelMessage {
  /** Milliseconds since boot by the kernel's own clock, which drifts from CLOCK_MONOTONIC by up to half a second in 1,000. */
  readonly mono: number;
  readonly text: string;
}

/** The latest messages that are `wanted`, oldest first; null: this process may not read them, or not within the deadline. */
export type ReadKernelLog = (wanted: (text: string) => boolean, deadlineMs: number) => Promise<readonly KernelMessage[] | null>;

export const readKernelLog: ReadKernelLog = async (wanted, deadlineMs) => {
  const until = performance.now() + deadlineMs;
  return (await readKmsg(wanted, until)) ?? readJournal(wanted, until);
};

/** PRINTK_MESSAGE_MAX: one read(2) is one record, and a smaller buffer is an error. */
const longestRecord = 8 * 1024;
/** Above any ring of a usual kernel. */
const mostBytes = 4 * 1024 * 1024;
const mostKept = 64;
/** Records read before others have their turn: a fraction of a millisecond. */
const inOneGo = 128;

const readKmsg = async (wanted: (text: string) => boolean, until: number): Promise<readonly KernelMessage[] | null> => {
  const file = await open('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK).catch(() => null);
  if (file === null) return null;
  const kept: KernelMessage[] = [];
  const buffer = Buffer.allocUnsafe(longestRecord);
  try {
    for (let bytes = 0, read = 1; bytes < mostBytes; read += 1) {
      const record = readPiece(file.fd, buffer);
      if (record === 'end') return kept;
      if (performance.now() > until) return null;
      if (record === 'overwritten') continue;
      bytes += record.length;
      const message = parseRecord(record);
      if (message !== null && wanted(message.text)) keep(kept, message);
      if (read % inOneGo === 0) await nextTurn();
    }
    return kept;
  } catch {
    return null;
  } finally {
    await file.close();
  }
};

/** One record of the device; of a file, what comes next. At once: no descriptor here waits, and by way of a thread it takes thirty times as long. */
export const readPiece = (fd: number, buffer: Buffer): string | 'end' | 'overwritten' => {
  try {
    const bytesRead = readSync(fd, buffer, 0, buffer.length, null);
    return bytesRead === 0 ? 'end' : buffer.toString('utf8', 0, bytesRead);
  } catch (thrown) {
    const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    if (errno === 'EAGAIN') return 'end';
    // Records were overwritten since the last read: the next one is the oldest that is left.
    if (errno === 'EPIPE') return 'overwritten';
    throw thrown;
  }
};

/** `6,1234,98765432,-;text`, then lines that begin with a space. The third field is microseconds since boot. */
export const parseRecord = (record: string): KernelMessage | null => {
  const [, micros, text] = /^\d+,\d+,(\d+),[^;]*;([^\n]*)/.exec(record) ?? [];
  return micros === undefined || text === undefined ? null : { mono: Number(micros) / 1000, text };
};

const journalArgv = ['--dmesg', '--boot', '--quiet', '--no-pager', '--output=short-monotonic', '--lines=5000'];

const readJournal = (wanted: (text: string) => boolean, until: number): Promise<readonly KernelMessage[] | null> =>
  new Promise((resolve) => {
    const child = startTool(helper('journalctl', journalArgv), { env: process.env }, () => settle(null));
    const kept: KernelMessage[] = [];
    let read = 0;
    const settle = (found: readonly KernelMessage[] | null): void => {
      clearTimeout(timer);
      child?.kill('SIGKILL');
      child?.stdout.destroy();
      child?.unref();
      resolve(found);
    };
    let timer: NodeJS.Timeout | undefined;
    if (child === null) return;
    child.stderr.resume();
    timer = setTimeout(() => settle(null), Math.max(0, until - performance.now()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = parseJournalLine(line);
      read += 1;
      if (message !== null && wanted(message.text)) keep(kept, message);
    });
    // Who may not read the kernel's messages is shown none, without an error.
    child.once('close', (code) => settle(code === 0 && read > 0 ? kept : null));
  });

/** `[  123.456789] host kernel: text` */
const parseJournalLine = (line: string): KernelMessage | null => {
  const [, seconds, text] = /^\[\s*(\d+\.\d+)\]\s+\S+\s+kernel:\s(.*)$/.exec(line) ?? [];
  return seconds === undefined || text === undefined ? null : { mono: Number(seconds) * 1000, text };
};

const keep = (kept: KernelMessage[], message: KernelMessage): void => {
  kept.push(message);
  if (kept.length > mostKept) kept.shift();
};
