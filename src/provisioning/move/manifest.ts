/**
 * What is carried from one store to another: every file under the digest of its content, and a manifest that says of which engines and
 * models they are. The digest of the manifest is that of all of it. Pure.
 */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import * as v from 'valibot';
import { CauseError } from '../../cause.ts';
import { plainName } from '../archive/names.ts';
import { askedSchema } from '../models/record.ts';
import { isPlainPath, parseReference } from '../models/reference.ts';
import { packagesDigest } from '../package/install-package.ts';
import { isInterpreterName } from './environment/interpreter.ts';
import { wrongIn } from './environment/links.ts';

export const manifestName = 'manifest.json';
export const entryOf = (sha256: string): string => `files/${sha256}`;

/** A file of the store, by what it holds. */
export interface Piece {
  readonly sha256: string;
  readonly bytes: number;
  readonly path: string;
}

/** More than the names of any store. */
export const mostManifestBytes = 64 * 1024 * 1024;

const text = v.pipe(v.string(), v.maxLength(4_096));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const hex64 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const keyWord = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9]*-[a-z0-9.-]{1,200}$/));
const below = v.pipe(
  text,
  v.check((path) => path !== '' && plainName(path) === path, 'a path below'),
);
const fileName = v.pipe(v.string(), v.regex(/^[\w+-][\w.+-]{0,220}$/));
const inRepository = v.pipe(text, v.check(isPlainPath, 'a path below'));

const absolute = v.pipe(
  text,
  v.check((path) => posix.isAbsolute(path) && posix.normalize(path) === path, 'an absolute path'),
);

/** What ties a Python environment to its place and its machine, and what of it is no file. */
const environment = v.strictObject({
  /** Where it lies; its programs name this path. */
  path: absolute,
  python: v.strictObject({
    // It will be asked for its version: nothing else is started.
    path: v.pipe(absolute, v.check(isInterpreterName, 'an interpreter of Python')),
    version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+$/)),
  }),
  /** As `uname -m` says it. */
  machine: text,
  packages: v.array(text),
  /** Those with nothing in them. */
  folders: v.array(below),
  links: v.array(v.strictObject({ path: below, target: text })),
});

const engineFile = v.strictObject({
  path: below,
  sha256: hex64,
  bytes: count,
  isExecutable: v.boolean(),
  /** Of a file of an environment, in seconds: by it Python knows whether what it compiled is of this file. */
  changedAt: v.optional(v.nullable(count), null),
});

const engine = v.strictObject({
  key: keyWord,
  engine: v.picklist(['llamacpp', 'vllm', 'sglang', 'tgi', 'custom']),
  from: text,
  checksum: text,
  executable: below,
  build: v.nullable(v.strictObject({ commit: text, compiler: text, architectures: v.array(text) })),
  at: text,
  files: v.pipe(v.array(engineFile), v.minLength(1)),
  /** Null: it is no Python environment. */
  environment: v.optional(v.nullable(environment), null),
});

const fromUrl = v.strictObject({
  kind: v.literal('url'),
  key: v.pipe(v.string(), v.regex(/^(?:url|sha256)-[0-9a-f]{32}$/)),
  reference: text,
  at: text,
  main: fileName,
  files: v.pipe(v.array(v.strictObject({ name: fileName, sha256: hex64, bytes: count, from: text })), v.minLength(1)),
});

const fromHub = v.strictObject({
  kind: v.literal('hub'),
  reference: text,
  at: text,
  asked: askedSchema,
  commit: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
  /** Of a model that is one file, or the first of its shards; null: it is the folder. */
  main: v.nullable(inRepository),
  files: v.pipe(
    v.array(
      v.strictObject({
        name: inRepository,
        blob: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)),
        sha256: hex64,
        bytes: count,
        from: text,
      }),
    ),
    v.minLength(1),
  ),
});

const schema = v.strictObject({
  version: v.literal(1),
  engines: v.array(engine),
  models: v.array(v.variant('kind', [fromUrl, fromHub])),
});

export type Manifest = v.InferOutput<typeof schema>;
export type CarriedEngine = v.InferOutput<typeof engine>;
export type CarriedEnvironment = v.InferOutput<typeof environment>;
export type CarriedModel = Manifest['models'][number];

export const manifestText = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 1)}\n`;

/** `sha256:…`: what two people compare who do not trust what is between them. */
export const fingerprintOf = (manifest: string): string => `sha256:${createHash('sha256').update(manifest).digest('hex')}`;

/** Of a file that is what its name says. */
interface Staged {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The manifest, where it and the files are exactly each other's. Throws CauseError. */
export const judgeManifest = (content: string, staged: readonly Staged[]): Manifest => {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), content);
  if (!parsed.success) throw refused(`a manifest that this version cannot read: ${v.getDotPath(parsed.issues[0]) ?? ''} ${parsed.issues[0].message}`);
  const manifest = parsed.output;
  const there = new Map(staged.filter(({ path }) => path !== manifestName).map((file) => [file.path, file]));
  const named = [...manifest.engines, ...manifest.models].flatMap(({ files }) => files.map(({ sha256, bytes }) => ({ sha256, bytes })));
  for (const { sha256, bytes } of named) {
    const found = there.get(entryOf(sha256));
    if (found === undefined) throw refused(`none with the digest sha256:${sha256}, which its manifest names`);
    if (found.sha256 !== sha256 || found.bytes !== bytes)
      throw new CauseError({
        code: 'digest_mismatch',
        message: `expected ${bytes} bytes of sha256:${sha256}, found ${found.bytes} of sha256:${found.sha256}; nothing was imported. It was changed or damaged on the way: export it again`,
      });
  }
  const names = new Set(named.map(({ sha256 }) => entryOf(sha256)));
  const stranger = [...there.keys()].find((path) => !names.has(path));
  if (stranger !== undefined) throw refused(`${JSON.stringify(stranger)}, which its manifest does not name`);
  for (const each of manifest.engines) checkEngine(each);
  for (const each of manifest.models) checkModel(each);
  return manifest;
};

const checkEngine = (carried: CarriedEngine): void => {
  const { key, engine: name, executable, files } = carried;
  if (!key.startsWith(`${name}-`)) throw refused(`the key ${key} for the engine ${name}`);
  if (!files.some(({ path }) => path === executable)) throw refused(`${key} without its program ${executable}`);
  if (new Set(files.map(({ path }) => path)).size !== files.length) throw refused(`${key} with a file twice`);
  if (carried.environment !== null) checkEnvironment(carried, carried.environment);
};

const checkEnvironment = (
  { key, engine: name, checksum, files }: CarriedEngine,
  { path, python, packages, folders, links }: CarriedEnvironment,
): void => {
  if (!key.startsWith(`${name}-py-`)) throw refused(`an environment under the key ${key}`);
  if (!path.endsWith(`/engines/${key}/files`)) throw refused(`the environment ${key} from ${path}, which is no place of it`);
  if (checksum !== packagesDigest(packages)) throw refused(`the environment ${key} with other packages than its digest says`);
  const wrong = wrongIn({ files: files.map((file) => file.path), folders, links }, python.path);
  if (wrong !== null) throw refused(`${wrong}, in the environment ${key}`);
};

const checkModel = (model: CarriedModel): void => {
  if (model.kind === 'url') {
    if (!model.files.some(({ name }) => name === model.main)) throw refused(`${model.key} without its file ${model.main}`);
    // What a pools file pins by its checksum has that in its key.
    const [only] = model.files;
    const pinned = model.key.startsWith('sha256-') && (model.files.length > 1 || !only?.sha256.startsWith(model.key.slice('sha256-'.length)));
    if (pinned) throw refused(`${model.key} for a file of another digest`);
    return;
  }
  const { repo, file, revision } = model.asked;
  parseReference(`hf:${repo}${file === null ? '' : `/${file}`}@${revision}`, false);
  const wrong = model.files.find(({ blob, sha256 }) => blob.length === 64 && blob !== sha256);
  if (wrong !== undefined) throw refused(`${wrong.name} of ${repo} under a digest that is not its own`);
  if (model.main !== null && !model.files.some(({ name }) => name === model.main)) throw refused(`${repo} without its file ${model.main}`);
};

export const refused = (found: string): CauseError =>
  new CauseError({
    code: 'install_failed',
    message: `expected what \`pool-managerd provision --export\` writes, found ${found}; nothing was imported`,
  });
