/** The line of provenance for what came from another store: where that had it from, not by which file it came here. Pure. */
import type { Provenance } from '../store/provenance.ts';

export const imported = (
  what: Provenance['what'],
  key: string,
  from: string,
  revision: string | null,
  files: readonly { readonly bytes: number }[],
  digests: readonly string[],
): Provenance => ({ action: 'imported', what, key, from, revision, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), digests });
