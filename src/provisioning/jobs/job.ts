/**
 * The work that is done off the main thread, as plain data: what a worker is given, and what it tells and comes to.
 *
 * Hashing, unpacking and reading bodies keep a thread busy for minutes; the daemon's own has engines to watch.
 */
import type { Cause, ProvisionPhase } from '../../machines/vocabulary.ts';
import type { Limits } from '../archive/entry.ts';
import type { Staged } from '../archive/stage.ts';

/** What a file must hash to. `git-sha1`: of a git blob, as hubs name small files. */
export interface Digest {
  readonly algorithm: 'sha256' | 'git-sha1';
  readonly hex: string;
}

export interface Patience {
  /** Fewer than a trickle of bytes for so long is a stall. */
  readonly stallMs: number;
  /** Failures in a row without a new byte after which it is given up for now. */
  readonly tries: number;
  /** Pause after the first of them; it doubles. */
  readonly firstPauseMs: number;
  /** When one connection is too slow, and how many there are then. */
  readonly widening: Widening;
}

/** When a file is fetched over several connections, and how many. */
export interface Widening {
  /** One connection is looked at for so long first. */
  readonly afterMs: number;
  /** As fast as this one connection is enough. */
  readonly enoughBytesPerMs: number;
  /** Less than this to come is not worth it. */
  readonly leastBytes: number;
  readonly chunkBytes: number;
  readonly connections: number;
}

export interface DownloadJob {
  readonly kind: 'download';
  readonly url: string;
  /** Sent to the host of `url` only, never to where it redirects. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where the bytes are kept until they are verified. A note about them lies beside it. */
  readonly part: string;
  readonly digest: Digest | null;
  /** Null: the server says it. */
  readonly bytes: number | null;
  readonly mostBytes: number;
  readonly bootId: string;
  /** What it is called when the server does not have it. */
  readonly missing: 'model_missing' | 'engine_missing';
  readonly patience: Patience;
}

export interface Downloaded {
  readonly bytes: number;
  readonly sha256: string;
}

/** Of a file that is there already. */
export interface HashJob {
  readonly kind: 'hash';
  readonly path: string;
}

export interface UnpackJob {
  readonly kind: 'unpack';
  readonly archive: string;
  /** Must not be there. */
  readonly into: string;
  /** Name of a program that is no archive. */
  readonly program: string;
  readonly limits: Limits;
}

/** Which of these files are not what they were when they came. */
export interface CheckJob {
  readonly kind: 'check';
  readonly dir: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
}

export interface JobReport {
  phase(phase: ProvisionPhase): void;
  progress(doneBytes: number, totalBytes: number | null): void;
}

export type Job = DownloadJob | HashJob | UnpackJob | CheckJob;

export interface Outputs {
  readonly download: Downloaded;
  readonly hash: Downloaded;
  readonly unpack: Staged;
  readonly check: { readonly changed: readonly string[] };
}

export type JobMessage =
  | { readonly kind: 'phase'; readonly phase: ProvisionPhase }
  | { readonly kind: 'progress'; readonly doneBytes: number; readonly totalBytes: number | null }
  | { readonly kind: 'done'; readonly output: Outputs[Job['kind']] }
  | { readonly kind: 'failed'; readonly cause: Cause };
