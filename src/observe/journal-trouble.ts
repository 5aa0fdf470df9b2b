/**
 * While the journal cannot be written: why, and how many events are missing. Told once when it begins, and once when it has
 * written for a while, so that a disk on the edge does not fill the log.
 *
 * Looks by itself whether writing works again, for the next event may be long in coming. Writes nothing.
 */
import { constants } from 'node:os';

export interface TroubleOptions {
  /** Of the journal's files. */
  readonly directory: string;
  readonly retryMs: number;
  /** Writes what waits to be written. Throws what writing throws. */
  readonly retry: () => void;
  readonly onFailing: (error: unknown, message: string) => void;
  readonly onKept: (missing: number) => void;
}

export interface Trouble {
  failed(error: unknown): void;
  /** One event is in no file. */
  missed(): void;
  /** For people; null: the journal is written. The same text from its beginning to its end. */
  message(): string | null;
  /** Tries once more where something waits. Never throws. */
  close(): void;
}

export const watchTrouble = ({ directory, retryMs, retry, onFailing, onKept }: TroubleOptions): Trouble => {
  let message: string | null = null;
  let missing = 0;
  let failedLately = false;
  let looking: NodeJS.Timeout | undefined;

  const end = (): void => {
    clearInterval(looking);
    const count = missing;
    [message, missing, failedLately] = [null, 0, false];
    onKept(count);
  };
  const isKept = (): boolean => {
    try {
      retry();
      return true;
    } catch {
      return false;
    }
  };
  const look = (): void => {
    const before = failedLately;
    failedLately = !isKept();
    if (!before && !failedLately) end();
  };

  return {
    failed: (error) => {
      failedLately = true;
      if (message !== null) return;
      message = `${reasonOf(error)}; history is not being kept; ${adviceFor(error, directory)}`;
      looking = setInterval(look, retryMs);
      // What waits is also tried at the close: no process stays for it.
      looking.unref();
      onFailing(error, message);
    },
    missed: () => {
      missing += 1;
    },
    message: () => message,
    close: () => {
      clearInterval(looking);
      if (message !== null && isKept()) end();
    },
  };
};

/** What the kernel said, in a record or a sentence. */
export const reasonOf = (error: unknown): string => {
  const text = error instanceof Error ? error.message : String(error);
  return isOverQuota(error) ? `EDQUOT: ${text}` : text;
};

const adviceFor = (error: unknown, directory: string): string => {
  if (isOverQuota(error)) return `make room on ${directory} or raise the quota`;
  const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
  return isFull ? `make room on ${directory}` : `see to the file system of ${directory}`;
};

/** libuv has no name for EDQUOT, only its number. */
const isOverQuota = (error: unknown): boolean => error instanceof Error && 'errno' in error && error.errno === -constants.errno.EDQUOT;
