/** Appends one line to the record of what came into the store and what left it, from where and with which digest. */
import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { storeFailed } from '../fetch/failures.ts';

export interface Provenance {
  readonly action: 'fetched' | 'installed' | 'imported' | 'removed';
  readonly what: 'model' | 'engine' | 'part';
  readonly key: string;
  /** Without its query, which may hold a secret. */
  readonly from: string | null;
  /** Commit of a hub's repository. */
  readonly revision: string | null;
  readonly bytes: number | null;
  readonly digests: readonly string[];
}

export const appendProvenance = async (file: string, entry: Provenance): Promise<void> => {
  try {
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(file, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      await handle.appendFile(`${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    throw storeFailed(file, thrown);
  }
};
