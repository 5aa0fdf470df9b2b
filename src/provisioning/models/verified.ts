/** Whether a file that somebody else put there is what its checksum says: hashed once, and again when it is another file. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { CauseError } from '../../cause.ts';
import { writeFileAtomically } from '../../os/atomic-file.ts';
import { runJob } from '../jobs/run-job.ts';
import type { Passenger } from '../store/flights.ts';
import { type StorePaths, shortHash } from '../store/paths.ts';

const schema = v.object({ path: v.string(), identity: v.string(), sha256: v.string() });

/** Throws CauseError `digest_mismatch`. */
export const verifyFile = async (paths: StorePaths, path: string, checksum: string, { report, signal }: Passenger): Promise<void> => {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const identity = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  const dir = join(paths.root, 'index', 'verified');
  const noted = join(dir, `${shortHash(path)}.json`);
  const known = await read(noted);
  const sha256 = known?.path === path && known.identity === identity ? known.sha256 : (await runJob({ kind: 'hash', path }, report, signal)).sha256;
  if (known?.sha256 !== sha256 || known.identity !== identity || known.path !== path) {
    await mkdir(dir, { recursive: true });
    await writeFileAtomically(noted, `${JSON.stringify({ path, identity, sha256 })}\n`, { mode: 0o644 });
  }
  if (`sha256:${sha256}` === checksum) return;
  throw new CauseError({
    code: 'digest_mismatch',
    message: `expected ${path} to be ${checksum}, found sha256:${sha256}; correct \`model_source.checksum\`, or get the file again`,
    details: { path, found: sha256 },
  });
};

const read = async (file: string): Promise<v.InferOutput<typeof schema> | null> => {
  try {
    const parsed = v.safeParse(schema, JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
};
