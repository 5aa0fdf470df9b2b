/** What is written beside an installed engine: where it came from, every file of it, and what it showed in its self-test. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeFileAtomically } from '../../os/atomic-file.ts';

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const schema = v.object({
  version: v.literal(1),
  key: text,
  engine: text,
  from: text,
  checksum: text,
  /** From `files/` on. */
  executable: text,
  engineVersion: v.nullable(text),
  knownFlags: v.nullable(v.array(text)),
  /** Null: nobody looked. */
  devices: v.nullable(v.array(text)),
  tokenMs: v.nullable(count),
  /** It listed a CUDA device, with real GPUs in the machine. */
  hasCuda: v.boolean(),
  files: v.array(v.object({ path: text, bytes: count, sha256: text, identity: text })),
  /** Of a Python environment: what is in it, each `name==version`; null: it is none. */
  packages: v.optional(v.nullable(v.array(text)), null),
  /** Of one that was built here; null: it was not. */
  build: v.optional(v.nullable(v.object({ commit: text, compiler: text, architectures: v.array(text) })), null),
  at: text,
});

export type EngineRecord = v.InferOutput<typeof schema>;

export const filesDir = (dir: string): string => join(dir, 'files');
const recordOf = (dir: string): string => join(dir, 'install.json');

/** Null: there is none that can be read. */
export const readEngineRecord = async (dir: string): Promise<EngineRecord | null> => {
  try {
    const parsed = v.safeParse(schema, JSON.parse(await readFile(recordOf(dir), 'utf8')));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
};

export const writeEngineRecord = (dir: string, record: EngineRecord): Promise<void> =>
  writeFileAtomically(recordOf(dir), `${JSON.stringify(record, null, 1)}\n`, { mode: 0o644 });

export const listEngines = async (root: string): Promise<readonly EngineRecord[]> => {
  const names = await readdir(root).catch(() => []);
  const records = await Promise.all(
    names
      .filter((name) => !name.startsWith('.'))
      .sort()
      .map((name) => readEngineRecord(join(root, name))),
  );
  return records.filter((record) => record !== null);
};

/** Changes with every write to the file, whatever its times are set to; null: it is not there. */
export const identityOf = async (path: string): Promise<string | null> => {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found?.isFile() ? `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : null;
};
