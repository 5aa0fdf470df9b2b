/**
 * The text of a state file and back. Pure.
 *
 * On disk: one JSON object with its `version`, closed by the SHA-256 of everything before it, so that a flipped bit inside a
 * number is found too. A file without `sha256` was written by a person and is held to its schema only.
 */
import { createHash } from 'node:crypto';
import * as v from 'valibot';

export interface Form<T, Content extends object> {
  readonly version: number;
  readonly schema: v.GenericSchema<unknown, Content>;
  readonly wrap: (value: T) => Content;
  readonly unwrap: (content: Content) => T;
  readonly idOf: (value: T) => string;
  /** From the content of a version to that of the next. */
  readonly older: Readonly<Record<number, (content: Fields) => Fields>>;
}

export type Fields = Readonly<Record<string, unknown>>;

/** The content cannot be used. Reading it again changes nothing. */
export class ContentRefused extends Error {
  override readonly name = 'ContentRefused';
}

/** Throws ContentRefused for what `decode` would refuse. */
export const encode = <T, Content extends object>(form: Form<T, Content>, id: string, value: T): string => {
  const content = form.wrap(value);
  accept(form, id, content);
  const body = JSON.stringify(content);
  return `${body.slice(0, -1)},"sha256":"${sumOf(body)}"}\n`;
};

/** Throws ContentRefused. */
export const decode = <T, Content extends object>(form: Form<T, Content>, id: string, text: string): T => {
  const { sha256, ...content } = parseObject(text);
  const version = versionOf(content);
  if (version > form.version)
    throw new ContentRefused(
      `expected version ${form.version}, found version ${version}, written by a newer pool-managerd: run that one and move the file back, or leave it`,
    );
  if (sha256 !== undefined && sha256 !== sumOf(JSON.stringify(content))) throw new ContentRefused('the content is not what its sha256 says');
  return accept(form, id, migrate(form.older, content, version, form.version));
};

const sumOf = (body: string): string => createHash('sha256').update(body).digest('hex');

const parseObject = (text: string): Fields => {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ContentRefused('expected a JSON object');
  return { ...value };
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new ContentRefused(`expected JSON, found ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
};

const versionOf = ({ version }: Fields): number => {
  if (typeof version === 'number' && Number.isSafeInteger(version) && version > 0) return version;
  throw new ContentRefused(`expected a version number, found ${JSON.stringify(version)}`);
};

const migrate = (older: Form<never, object>['older'], content: Fields, from: number, to: number): Fields => {
  if (from === to) return content;
  const step = older[from];
  if (step === undefined) throw new ContentRefused(`expected version ${to}, found version ${from}, which this pool-managerd no longer reads`);
  return migrate(older, step(content), from + 1, to);
};

const accept = <T, Content extends object>({ schema, unwrap, idOf }: Form<T, Content>, id: string, content: unknown): T => {
  const parsed = v.safeParse(schema, content, { abortEarly: true });
  if (!parsed.success) throw new ContentRefused(parsed.issues.map(said).join('; '));
  const value = unwrap(parsed.output);
  if (idOf(value) !== id) throw new ContentRefused(`expected pool id ${id}, found ${idOf(value)}`);
  return value;
};

const said = (issue: v.BaseIssue<unknown>): string => `${v.getDotPath(issue) ?? 'content'}: ${issue.message}`.slice(0, 500);
