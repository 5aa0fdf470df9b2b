/**
 * Where log lines go: stdout, without ever waiting for whoever reads it.
 *
 * A line is written at once (it survives a crash); while the reader does not read, lines wait, up to a bound, and are
 * dropped beyond it; a reader that is gone ends the writing for good. pino's own destination blocks the process at exit in
 * both cases: its last flush tries a closed pipe for ever. Only a socket (systemd's journal) is written to as it is, since
 * Linux gives it no second, non-blocking opening.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';

export interface LogOutput {
  write(text: string): void;
  /** Lines that nobody will read. */
  readonly dropped: () => number;
}

const retryMs = 50;

export const createLogOutput = (fd = 1, maxWaitingBytes = 1024 * 1024): LogOutput => {
  const out = nonBlocking(fd);
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let dropped = 0;
  let gone = false;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    timer = undefined;
    for (let line = waiting.shift(); line !== undefined; line = waiting.shift()) {
      const written = tryWrite(out, line);
      waitingBytes -= written === 'gone' ? line.length : written;
      if (written === line.length) continue;
      if (written === 'gone') {
        close();
        return;
      }
      waiting.unshift(line.subarray(written));
      timer = setTimeout(flush, retryMs).unref();
      return;
    }
  };

  const close = (): void => {
    gone = true;
    dropped += waiting.length + 1;
    waiting.length = 0;
    waitingBytes = 0;
  };

  // What the reader can take at the end, it gets; nothing is waited for.
  process.once('exit', () => flush());

  return {
    write: (text) => {
      const line = Buffer.from(text);
      if (gone || waitingBytes + line.length > maxWaitingBytes) {
        dropped += 1;
        return;
      }
      waiting.push(line);
      waitingBytes += line.length;
      if (timer === undefined) flush();
    },
    dropped: () => dropped,
  };
};

/** Pipes and terminals are opened a second time: O_NONBLOCK on the first opening would be everybody's who shares it. */
const nonBlocking = (fd: number): number => {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Not ours to open again (another user's terminal): written to as it is.
    return fd;
  }
};

/** Bytes written, possibly not all; `gone` when there will never be a reader again. */
const tryWrite = (fd: number, bytes: Buffer): number | 'gone' => {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    return error instanceof Error && 'code' in error && (error.code === 'EAGAIN' || error.code === 'ENOSPC') ? 0 : 'gone';
  }
};
