/**
 * Takes in what another store wrote out. All of it is unpacked and hashed first, in a folder of our own, and compared with its manifest;
 * only then is anything given a name: a model with its record, an engine once it has shown on this machine what it can do.
 */
import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readFile, rename, rm, stat, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CauseError, causeOf } from '../../cause.ts';
import type { Cause } from '../../machines/vocabulary.ts';
import { syncDir, writeFileAtomically } from '../../os/atomic-file.ts';
import type { Limits } from '../archive/entry.ts';
import { storeFailed } from '../fetch/failures.ts';
import { needRoom } from '../fetch/headroom.ts';
import { hubKey, hubPlaces } from '../hub/plan.ts';
import { runJob } from '../jobs/run-job.ts';
import { modelLock, presentModel } from '../models/ensure.ts';
import { type ModelRecord, writeRecord } from '../models/record.ts';
import type { SelfTest } from '../self-test/self-test.ts';
import type { Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import { importLock, importName, type StorePaths, shortHash } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { imported } from './imported.ts';
import { type CarriedModel, entryOf, fingerprintOf, judgeManifest, manifestName, mostManifestBytes, refused } from './manifest.ts';
import { takeEngine } from './take-engine.ts';

export interface TakeIn {
  readonly paths: StorePaths;
  /** Where models of hubs are kept. */
  readonly hubDir: string;
  readonly simulated: boolean;
  readonly selfTest: SelfTest;
  /** What whoever exported it was told; null: it is taken as it is. */
  readonly expected: string | null;
}

export interface TakenIn {
  readonly what: 'engine' | 'model';
  readonly key: string;
  readonly name: string;
  readonly bytes: number;
  /** Null: it is there, or was before. */
  readonly problem: Cause | null;
}

/** What is larger a hub keeps by its SHA-256. */
const mostBlobBytes = 64 * 1024 * 1024;
const limits: Limits = { entries: 1_000_000, bytes: 16 * 1024 ** 4, ratio: 1_000 };

/** Rejects with CauseError, or with the reason of the signal; nothing was then taken in. */
export const takeIn = async (from: string, deps: TakeIn, passenger: Passenger): Promise<readonly TakenIn[]> => {
  const { paths } = deps;
  const { report, signal } = passenger;
  const staging = join(paths.parts, importName);
  return withLease(
    importLock(paths),
    signal,
    () => report.phase('fetching'),
    async () => {
      await mkdir(paths.parts, { recursive: true }).catch((thrown: unknown) => {
        throw storeFailed(paths.parts, thrown);
      });
      await rm(staging, { recursive: true, force: true });
      await needRoom(staging, await sizeOf(from));
      try {
        const { files } = await runJob({ kind: 'unpack', archive: from, into: staging, program: 'none', limits }, report, signal);
        const manifest = judgeManifest(await manifestIn(staging, files, deps.expected), files);
        const place = { ...deps, staging, passenger };
        const done: TakenIn[] = [];
        for (const engine of manifest.engines)
          done.push(await said('engine', engine.key, engine.from, engine.files, () => takeEngine(engine, place)));
        for (const model of manifest.models)
          done.push(await said('model', keyOf(model, deps.hubDir), model.reference, model.files, () => takeModel(model, place)));
        return done;
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
    },
  );
};

const sizeOf = async (from: string): Promise<number> => {
  const found = await stat(from).catch(() => null);
  if (found === null) throw refused(`nothing at ${from}`);
  return found.isDirectory() ? 0 : found.size;
};

const manifestIn = async (
  staging: string,
  files: readonly { readonly path: string; readonly bytes: number }[],
  expected: string | null,
): Promise<string> => {
  const named = files.find(({ path }) => path === manifestName);
  if (named === undefined || named.bytes > mostManifestBytes) throw refused(`no ${manifestName}`);
  const content = await readFile(join(staging, manifestName), 'utf8');
  const found = fingerprintOf(content);
  if (expected === null || expected === found) return content;
  throw new CauseError({
    code: 'digest_mismatch',
    message: `expected the export ${expected}, found ${found}; nothing was imported. It is another one, or was changed on the way`,
  });
};

/** What cannot be taken in is told, and does not keep the others out. */
const said = async (
  what: TakenIn['what'],
  key: string,
  name: string,
  files: readonly { readonly bytes: number }[],
  work: () => Promise<void>,
): Promise<TakenIn> => {
  const facts = { what, key, name, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  try {
    await work();
    return { ...facts, problem: null };
  } catch (thrown) {
    if (!(thrown instanceof CauseError)) throw thrown;
    return { ...facts, problem: causeOf(thrown, 'install_failed') };
  }
};

type Place = TakeIn & { readonly staging: string; readonly passenger: Passenger };

const keyOf = (model: CarriedModel, hubDir: string): string => (model.kind === 'url' ? model.key : hubKey(hubDir, model.asked));

const takeModel = async (carried: CarriedModel, place: Place): Promise<void> => {
  const { paths, hubDir, passenger } = place;
  const key = keyOf(carried, hubDir);
  await withLease(
    modelLock(paths, key),
    passenger.signal,
    () => passenger.report.phase('verifying'),
    async () => {
      const present = await presentModel(paths.modelRecords, key);
      const revision = carried.kind === 'url' ? null : carried.commit;
      if (present !== null && present.revision === revision) return;
      try {
        const record = { ...(carried.kind === 'url' ? await takeFromUrl(carried, place) : await takeFromHub(carried, place)), key };
        await writeRecord(paths.modelRecords, record);
        const digests = carried.files.map(({ sha256 }) => `sha256:${sha256}`);
        await appendProvenance(paths.provenance, imported('model', key, carried.reference, revision, carried.files, digests));
      } catch (thrown) {
        throw thrown instanceof CauseError ? thrown : storeFailed(paths.root, thrown);
      }
    },
  );
};

type Untold = Omit<ModelRecord, 'key'>;

const takeFromUrl = async (carried: Extract<CarriedModel, { kind: 'url' }>, place: Place): Promise<Untold> => {
  const dir = join(place.paths.models, carried.key);
  for (const { name, sha256 } of carried.files) {
    const final = join(dir, name);
    await withLease(
      join(place.paths.locks, `file-${shortHash(final)}.lock`),
      place.passenger.signal,
      () => undefined,
      () => put(place, sha256, final),
    );
  }
  return {
    version: 1,
    reference: carried.reference,
    revision: null,
    path: join(dir, carried.main),
    files: carried.files.map(({ name, bytes, from, sha256 }) => ({ path: join(dir, name), bytes, from, digest: `sha256:${sha256}` })),
    asked: null,
    complete: true,
    at: carried.at,
  };
};

const takeFromHub = async (carried: Extract<CarriedModel, { kind: 'hub' }>, place: Place): Promise<Untold> => {
  const { asked, commit, files, main } = carried;
  const places = hubPlaces(place.hubDir, asked.repo, commit);
  for (const { blob, sha256, bytes, name } of files) {
    if (blob.length === 40) await isBlob(join(place.staging, entryOf(sha256)), bytes, blob, name);
    await withLease(
      places.lock(blob),
      place.passenger.signal,
      () => undefined,
      () => put(place, sha256, places.blob(blob)),
    );
    const made = places.link(blob, name);
    await mkdir(dirname(made.path), { recursive: true });
    await unlink(made.path).catch(ignoreMissing);
    await symlink(made.target, made.path);
    await syncDir(dirname(made.path));
  }
  if (asked.revision !== commit) {
    await mkdir(dirname(places.ref(asked.revision)), { recursive: true });
    await writeFileAtomically(places.ref(asked.revision), commit, { mode: 0o644 });
  }
  return {
    version: 1,
    reference: carried.reference,
    revision: commit,
    path: main === null ? places.snapshot : join(places.snapshot, main),
    files: files.map(({ blob, bytes, from, sha256 }) => ({ path: places.blob(blob), bytes, from, digest: `sha256:${sha256}` })),
    asked,
    complete: true,
    at: carried.at,
  };
};

/** Small files of a hub are named by the digest of their git blob. */
const isBlob = async (path: string, bytes: number, blob: string, name: string): Promise<void> => {
  if (bytes > mostBlobBytes) throw refused(`${name} of ${bytes} bytes under the digest of a small file`);
  const content = await readFile(path);
  const found = createHash('sha1').update(`blob ${bytes}\0`).update(content).digest('hex');
  if (found !== blob) throw refused(`${name} under a digest that is not its own`);
};

/** By a rename, so that it is whole; what is there under that name gives way. */
const put = async ({ staging }: Place, sha256: string, final: string): Promise<void> => {
  const [from, arriving] = [join(staging, entryOf(sha256)), `${final}.importing`];
  await mkdir(dirname(final), { recursive: true });
  await rm(arriving, { force: true });
  // The same content may be wanted twice; a cache that other tools share may be on another disk.
  await link(from, arriving).catch(() => copyFile(from, arriving));
  await rename(arriving, final);
  await syncDir(dirname(final));
};

const ignoreMissing = (thrown: unknown): void => {
  if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) throw thrown;
};
