/** What went wrong between us and a server or the disk, in the reasons of the one table. No query of a URL is repeated: it may be a secret. */
import { constants } from 'node:os';
import { CauseError } from '../../cause.ts';
import type { ReasonCode } from '../../machines/reasons.ts';

/** Worth another try from where it stopped. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly code: ReasonCode;
  /** What the server asked for; null: it asked for nothing. */
  readonly waitMs: number | null;

  constructor(code: 'download_unreachable' | 'download_stalled' | 'download_failed', message: string, waitMs: number | null = null) {
    super(message);
    this.code = code;
    this.waitMs = waitMs;
  }
}

/** What came is not what was asked for: none of it is kept. */
export class Unwanted extends CauseError {}

/** Without user name, password, query and fragment. */
export const shownUrl = (url: string | URL): string => {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
};

export const refusedBy = (status: number, url: string, missing: 'model_missing' | 'engine_missing'): CauseError | Interrupted => {
  const at = shownUrl(url);
  if (status === 401 || status === 403 || status === 407) {
    return new CauseError({
      code: 'download_unauthorized',
      message: `expected ${at} to be readable, found HTTP ${status}; it needs a token, or one that may read it`,
      details: { url: at, status },
    });
  }
  if (status === 404 || status === 410) {
    return new CauseError({
      code: missing,
      message: `expected a file at ${at}, found HTTP ${status}; correct the reference`,
      details: { url: at, status },
    });
  }
  return new Interrupted('download_failed', `expected ${at} to be sent, found HTTP ${status}`);
};

const fullDisk: ReadonlySet<number> = new Set([-constants.errno.ENOSPC, -constants.errno.EDQUOT]);

export const isDiskFull = (thrown: unknown): boolean =>
  thrown instanceof Error && 'errno' in thrown && typeof thrown.errno === 'number' && fullDisk.has(thrown.errno);

export const diskFull = (path: string, found: string): CauseError =>
  new CauseError({
    code: 'disk_full',
    message: `${found}; free some space on the file system of ${path}, \`pool-managerd prune\` shows what is not used`,
    details: { path },
  });

/** A local failure that is not a full disk. */
export const storeFailed = (path: string, thrown: unknown): CauseError =>
  new CauseError({
    code: 'state_store_failed',
    message: `cannot keep ${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}; POOL_MANAGERD_CACHE_DIR names a directory that the daemon may write to`,
    details: { path },
  });
