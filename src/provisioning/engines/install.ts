/**
 * Makes a released engine present: fetched by its digest, unpacked, asked what it can do, and only then given its final name.
 * Versions lie beside each other. What is there is used as it is, as long as no file of it was written to.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import { adapterFor } from '../../engines/index.ts';
import type { EngineName, EnginePresent } from '../../machines/vocabulary.ts';
import { syncDir } from '../../os/atomic-file.ts';
import { bootId } from '../../os/boot-id.ts';
import { usualLimits } from '../archive/entry.ts';
import { shownUrl, storeFailed } from '../fetch/failures.ts';
import { removePart } from '../fetch/part.ts';
import type { JobReport, Patience } from '../jobs/job.ts';
import { runJob } from '../jobs/run-job.ts';
import { usualPatience } from '../models/ensure.ts';
import type { SelfTest } from '../self-test/self-test.ts';
import { createFlights, type Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import { fileNameOf, type StorePaths, shortHash } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { executableIn } from './executable.ts';
import { identified, intact, presentOf, tested } from './installed.ts';
import { type EngineRecord, filesDir, readEngineRecord, writeEngineRecord } from './record.ts';

export interface WantedEngine {
  readonly engine: EngineName;
  readonly url: string;
  /** `sha256:…` */
  readonly checksum: string;
  /** Null: below the store. */
  readonly installDir: string | null;
  /** From the top of the archive; null: by its usual name. */
  readonly executable: string | null;
}

export interface InstallDeps {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly simulated: boolean;
  readonly selfTest: SelfTest;
  readonly patience?: Patience;
}

export type InstallEngine = (wanted: WantedEngine, passenger: Passenger) => Promise<EnginePresent>;

/** An archive of an engine is smaller than this. */
const mostBytes = 32 * 1024 ** 3;

export const engineKey = ({ engine, checksum, executable }: Pick<WantedEngine, 'engine' | 'checksum' | 'executable'>): string =>
  `${engine}-${checksum.slice('sha256:'.length, 'sha256:'.length + 24)}${executable === null ? '' : `-${shortHash(executable).slice(0, 8)}`}`;

/** Where it is, or would be. */
export const releaseDir = (
  { paths, baseDir }: Pick<InstallDeps, 'paths' | 'baseDir'>,
  wanted: Pick<WantedEngine, 'engine' | 'checksum' | 'executable' | 'installDir'>,
): string => join(wanted.installDir === null ? paths.engines : resolve(baseDir, wanted.installDir), engineKey(wanted));

export const engineLock = ({ locks }: StorePaths, dir: string): string => join(locks, `engine-${shortHash(dir)}.lock`);

/** Rejects with CauseError, or with the reason of the signal. */
export const createInstallEngine = (deps: InstallDeps): InstallEngine => {
  const flights = createFlights<EnginePresent>();
  return (wanted, passenger) => {
    const dir = releaseDir(deps, wanted);
    return flights.join(dir, passenger, async (report, signal) => {
      const lock = engineLock(deps.paths, dir);
      const installed =
        (await intact(dir, deps.simulated)) ??
        (await withLease(
          lock,
          signal,
          () => report.phase('fetching'),
          () => make(dir, wanted, deps, report, signal),
        ));
      return presentOf(dir, installed);
    });
  };
};

const make = async (dir: string, wanted: WantedEngine, deps: InstallDeps, report: JobReport, signal: AbortSignal): Promise<EngineRecord> => {
  const there = (await intact(dir, deps.simulated)) ?? (await again(dir, wanted, deps, report, signal));
  if (there !== null) return there;
  const root = resolve(dir, '..');
  const staging = join(root, `.staging-${engineKey(wanted)}`);
  const archive = join(deps.paths.parts, `engine-${engineKey(wanted)}`);
  await makeFolders(root, deps.paths.parts);
  await rm(staging, { recursive: true, force: true });
  try {
    await fetchArchive(archive, wanted, deps, report, signal);
    await mkdir(staging, { mode: 0o755 });
    const record = await build(staging, archive, wanted, deps, report, signal);
    await writeEngineRecord(staging, record);
    await rm(dir, { recursive: true, force: true });
    await rename(staging, dir);
    await syncDir(root);
    await removePart(archive);
    await appendProvenance(deps.paths.provenance, {
      action: 'installed',
      what: 'engine',
      key: record.key,
      from: record.from,
      revision: record.engineVersion,
      bytes: record.files.reduce((sum, { bytes }) => sum + bytes, 0),
      digests: [record.checksum],
    });
    return record;
  } catch (thrown) {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined);
    throw thrown instanceof CauseError || signal.aborted ? thrown : storeFailed(dir, thrown);
  }
};

/** What is there but was touched, or not tested with real GPUs: as good as new where its files hash to what they did. */
const again = async (
  dir: string,
  wanted: WantedEngine,
  { selfTest, simulated }: InstallDeps,
  report: JobReport,
  signal: AbortSignal,
): Promise<EngineRecord | null> => {
  const record = await readEngineRecord(dir);
  if (record === null) return null;
  const { changed } = await runJob({ kind: 'check', dir: filesDir(dir), files: record.files }, report, signal);
  if (changed.length > 0) return null;
  report.phase('building');
  const shown = await selfTest(join(filesDir(dir), record.executable), adapterFor(wanted.engine), signal);
  const known = { ...record, ...tested(shown, simulated), files: await identified(filesDir(dir), record.files) };
  await writeEngineRecord(dir, known);
  return known;
};

const fetchArchive = async (
  part: string,
  { url, checksum }: WantedEngine,
  { patience = usualPatience }: InstallDeps,
  report: JobReport,
  signal: AbortSignal,
): Promise<void> => {
  const digest = { algorithm: 'sha256', hex: checksum.slice('sha256:'.length) } as const;
  await runJob(
    { kind: 'download', url, headers: {}, part, digest, bytes: null, mostBytes, bootId: bootId(), missing: 'engine_missing', patience },
    report,
    signal,
  );
};

const build = async (
  staging: string,
  archive: string,
  wanted: WantedEngine,
  deps: InstallDeps,
  report: JobReport,
  signal: AbortSignal,
): Promise<EngineRecord> => {
  const adapter = adapterFor(wanted.engine);
  const into = filesDir(staging);
  const program = wanted.executable ?? adapter.executables[0] ?? fileNameOf(new URL(wanted.url), 'engine');
  const { files } = await runJob({ kind: 'unpack', archive, into, program, limits: usualLimits }, report, signal);
  const executable = executableIn(files, wanted.executable, adapter.executables.length > 0 ? adapter.executables : [program]);
  const shown = await deps.selfTest(join(into, executable), adapter, signal);
  return {
    version: 1,
    key: engineKey(wanted),
    engine: wanted.engine,
    from: shownUrl(wanted.url),
    checksum: wanted.checksum,
    executable,
    ...tested(shown, deps.simulated),
    files: await identified(
      into,
      files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
    ),
    packages: null,
    build: null,
    at: new Date().toISOString(),
  };
};

const makeFolders = async (...dirs: readonly string[]): Promise<void> => {
  for (const dir of dirs) {
    await mkdir(dir, { recursive: true }).catch((thrown: unknown) => {
      throw storeFailed(dir, thrown);
    });
  }
};
