/** What an archive holds, whichever format it has, and what it may not. */
import { CauseError } from '../../cause.ts';

export type Entry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly isExecutable: boolean; readonly body: AsyncIterable<Buffer> }
  /** `from`: what the target is written from: the link's own folder, or the top as with hard links of tar. */
  | { readonly kind: 'link'; readonly path: string; readonly target: string; readonly from: 'here' | 'top' };

export interface Limits {
  readonly entries: number;
  readonly bytes: number;
  /** Of what comes out to what went in. */
  readonly ratio: number;
}

export const usualLimits: Limits = { entries: 100_000, bytes: 32 * 1024 ** 3, ratio: 1_000 };

export const refuse = (found: string): CauseError =>
  new CauseError({
    code: 'install_failed',
    message: `expected an archive of plain files and folders, found ${found}; nothing of it was installed`,
  });

/** A name for messages, whatever is in it. */
export const quoted = (name: string): string => JSON.stringify(name.slice(0, 200));
