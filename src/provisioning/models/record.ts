/** What the store knows of a model: its files, whole or not yet, and where they came from. One small file per model, by its key. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { writeFileAtomically } from '../../os/atomic-file.ts';

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const askedSchema = v.object({
  repo: text,
  file: v.nullable(text),
  revision: text,
  quant: v.nullable(text),
  form: v.nullable(v.picklist(['file', 'folder'])),
});

const schema = v.object({
  version: v.literal(1),
  key: text,
  /** As a person wrote it, without a query. */
  reference: text,
  /** Commit of a hub's repository; null: it has none. */
  revision: v.nullable(text),
  /** What an engine is given. */
  path: text,
  files: v.array(v.object({ path: text, from: text, bytes: count, digest: text })),
  /** Of a hub: what was asked for, from which its key is made; null: it came by its URL, or an earlier version wrote this. */
  asked: v.optional(v.nullable(askedSchema), null),
  /** Every file is there and was verified. */
  complete: v.boolean(),
  at: text,
});

export type Asked = v.InferOutput<typeof askedSchema>;
export type ModelRecord = v.InferOutput<typeof schema>;

const fileOf = (dir: string, key: string): string => join(dir, `${key}.json`);

/** Null: there is none, or none that can be read; what it stood for is then fetched or looked for again. */
export const readRecord = async (dir: string, key: string): Promise<ModelRecord | null> => {
  try {
    const parsed = v.safeParse(schema, JSON.parse(await readFile(fileOf(dir, key), 'utf8')));
    return parsed.success && parsed.output.key === key ? parsed.output : null;
  } catch {
    return null;
  }
};

export const writeRecord = async (dir: string, record: ModelRecord): Promise<void> => {
  await mkdir(dir, { recursive: true });
  await writeFileAtomically(fileOf(dir, record.key), `${JSON.stringify(record, null, 1)}\n`, { mode: 0o644 });
};

export const listRecords = async (dir: string): Promise<readonly ModelRecord[]> => {
  const names = await readdir(dir).catch(() => []);
  const keys = names.filter((name) => name.endsWith('.json') && !name.startsWith('.')).map((name) => name.slice(0, -'.json'.length));
  return (await Promise.all(keys.sort().map((key) => readRecord(dir, key)))).filter((record) => record !== null);
};

export const recordFile = fileOf;
