/** The key that an engine asks for, from the pool's `api_key_file`, read anew at each use so that it can rotate. */
import { CauseError } from '../../cause.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { readKeyFile } from '../../os/key-file.ts';

/** Null: the pool has none. Throws CauseError `health_failed` where the file cannot be read. */
export const readApiKey = async ({ spec: { api_key_file: file } }: RunRecord): Promise<string | null> => {
  if (file === null) return null;
  try {
    return await readKeyFile(file);
  } catch (thrown) {
    const found = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CauseError({ code: 'health_failed', message: `expected the engine's key in ${file} (api_key_file), found: ${found}` });
  }
};
