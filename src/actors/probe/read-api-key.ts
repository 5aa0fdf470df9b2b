/** The key that an engine asks for, from the pool's `api_key_file`, read anew at each use so that it can rotate. */
import { CauseError } from '../../cause.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { readTextSafely } from '../../os/read-safely.ts';

const mostBytes = 4096;

/** Null: the pool has none. Throws CauseError `health_failed` where the file cannot be read. */
export const readApiKey = async ({ spec: { api_key_file: file } }: RunRecord): Promise<string | null> => {
  if (file === null) return null;
  try {
    const [key = ''] = (await readTextSafely(file, { maxBytes: mostBytes })).text.split('\n');
    return key.trim();
  } catch (thrown) {
    const found = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CauseError({ code: 'health_failed', message: `expected the engine's key in ${file} (api_key_file), found: ${found}` });
  }
};
