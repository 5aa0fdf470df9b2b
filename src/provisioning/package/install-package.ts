/**
 * Makes an engine present that comes as a Python package of a pinned version: in an environment of its own, by `uv` where it is there,
 * else by `venv` and `pip`, and tested before it counts as there. An environment cannot be moved, so it is made where it will be;
 * until its record is there it is nothing, and is made anew.
 */
import { createHash } from 'node:crypto';
import { access, constants, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import { adapterFor } from '../../engines/index.ts';
import type { EngineName, EnginePresent } from '../../machines/vocabulary.ts';
import { engineLock } from '../engines/install.ts';
import { identified, intact, presentOf, tested } from '../engines/installed.ts';
import { type EngineRecord, filesDir, writeEngineRecord } from '../engines/record.ts';
import { storeFailed } from '../fetch/failures.ts';
import type { JobReport } from '../jobs/job.ts';
import type { SelfTest } from '../self-test/self-test.ts';
import { createFlights, type Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import { type StorePaths, shortHash } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { onPath, toolEnvironment } from '../tool/environment.ts';
import { runTool } from '../tool/run-tool.ts';

export interface WantedPackage {
  readonly engine: EngineName;
  readonly name: string;
  readonly version: string;
  /** Lock file with hashes; null: none. */
  readonly lock: string | null;
}

export interface PackageDeps {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly simulated: boolean;
  readonly selfTest: SelfTest;
  /** Of the daemon: where tools are looked for, and which index and proxies they use. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly silenceMs?: number;
}

export type InstallPackage = (wanted: WantedPackage, passenger: Passenger) => Promise<EnginePresent>;

const usualSilenceMs = 600_000;

type Named = Pick<WantedPackage, 'engine' | 'name' | 'version' | 'lock'>;

const packageKey = ({ engine, name, version }: Omit<Named, 'lock'>, lockDigest: string | null): string =>
  `${engine}-py-${shortHash(`${name}==${version}`).slice(0, 20)}${lockDigest === null ? '' : `-${lockDigest.slice(0, 12)}`}`;

/** `sha256:…`, of each `name==version` of an environment. */
export const packagesDigest = (packages: readonly string[]): string => `sha256:${createHash('sha256').update(packages.join('\n')).digest('hex')}`;

/** Whatever its lock file said then. */
export const isPackageKey = (key: string, named: Named): boolean => {
  const start = packageKey(named, null);
  return named.lock === null ? key === start : key.startsWith(`${start}-`);
};

/** Where it is, or would be, with its lock file as it is now. Throws CauseError where that cannot be read. */
export const packageDir = async (deps: Pick<PackageDeps, 'paths' | 'baseDir'>, wanted: Named): Promise<string> =>
  join(deps.paths.engines, packageKey(wanted, (await lockOf(deps, wanted))?.sha256 ?? null));

const lockOf = async ({ baseDir }: Pick<PackageDeps, 'baseDir'>, { lock }: Named): Promise<Lock | null> =>
  lock === null ? null : readLock(resolve(baseDir, lock));

interface Lock {
  readonly path: string;
  readonly sha256: string;
}

/** Rejects with CauseError, or with the reason of the signal. */
export const createInstallPackage = (deps: PackageDeps): InstallPackage => {
  const flights = createFlights<EnginePresent>();
  return async (wanted, passenger) => {
    const lock = await lockOf(deps, wanted);
    const key = packageKey(wanted, lock?.sha256 ?? null);
    const dir = join(deps.paths.engines, key);
    return flights.join(dir, passenger, async (report, signal) => {
      const present = await intact(dir, deps.simulated);
      if (present !== null) return presentOf(dir, present);
      const waits = (): void => report.phase('building');
      const made = await withLease(
        engineLock(deps.paths, dir),
        signal,
        waits,
        async () => (await intact(dir, deps.simulated)) ?? make(dir, key, { ...wanted, locked: lock }, deps, report, signal),
      );
      return presentOf(dir, made);
    });
  };
};

type Wanted = WantedPackage & { readonly locked: Lock | null };

const make = async (dir: string, key: string, wanted: Wanted, deps: PackageDeps, report: JobReport, signal: AbortSignal): Promise<EngineRecord> => {
  report.phase('building');
  const adapter = adapterFor(wanted.engine);
  const [program] = adapter.executables;
  if (program === undefined) {
    throw new CauseError({
      code: 'invalid_spec',
      message: `expected an engine whose program has a name, for provisioning.mode package, found ${wanted.engine}; install it and use mode external`,
    });
  }
  try {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const packages = await installInto(filesDir(dir), wanted, deps, signal);
    const executable = join('bin', program);
    await access(join(filesDir(dir), executable), constants.X_OK).catch(() => {
      throw failed(`expected ${program} in ${wanted.name} ${wanted.version}, found no such program in it`);
    });
    const shown = await deps.selfTest(join(filesDir(dir), executable), adapter, signal);
    const content = await readFile(join(filesDir(dir), executable));
    const file = { path: executable, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    const record: EngineRecord = {
      version: 1,
      key,
      engine: wanted.engine,
      from: `pypi:${wanted.name}==${wanted.version}${wanted.locked === null ? '' : ` by lock sha256:${wanted.locked.sha256}`}`,
      checksum: packagesDigest(packages),
      executable,
      ...tested(shown, deps.simulated),
      files: await identified(filesDir(dir), [file]),
      packages: [...packages],
      build: null,
      at: new Date().toISOString(),
    };
    await writeEngineRecord(dir, record);
    const { from, engineVersion: revision, checksum } = record;
    await appendProvenance(deps.paths.provenance, { action: 'installed', what: 'engine', key, from, revision, bytes: null, digests: [checksum] });
    return record;
  } catch (thrown) {
    await rm(dir, { recursive: true, force: true }).catch(() => undefined);
    throw thrown instanceof CauseError || signal.aborted ? thrown : storeFailed(dir, thrown);
  }
};

/** What is in it afterwards, each `name==version`. */
const installInto = async (env: string, { name, version, locked }: Wanted, deps: PackageDeps, signal: AbortSignal): Promise<readonly string[]> => {
  const environment = toolEnvironment(deps.env);
  const path = environment['PATH'] ?? '';
  const uv = await onPath('uv', path);
  const base = uv ?? (await onPath('python3', path));
  if (base === null) {
    throw new CauseError({
      code: 'install_failed',
      message: `expected uv or python3 on the PATH (${path}) to install ${name} with, found neither; install one of them`,
    });
  }
  const run = async (file: string, argv: readonly string[]): Promise<string> => {
    const ended = await runTool({ file, argv, env: environment, silenceMs: deps.silenceMs ?? usualSilenceMs, isPatient: true }, signal);
    if (ended.ok) return ended.stdout;
    throw judged(`expected ${[file, ...argv].join(' ')} to install it, found ${ended.found}`);
  };
  const python = join(env, 'bin', 'python');
  const pinned = `${name}==${version}`;
  const freeze = uv === null ? await byPip(base, env, python, { pinned, locked }, run) : await byUv(uv, env, python, { pinned, locked }, run);
  const packages = freeze
    .split('\n')
    .filter((line) => line !== '')
    .sort();
  // What came by an address of its own is told without a version.
  const isIn = (line: string): boolean => isSameName(line, pinned) || isSameName(line.split(' @ ')[0] ?? '', name);
  if (locked === null || packages.some(isIn)) return packages;
  throw failed(`expected ${pinned} in ${locked.path}, found ${packages.find((line) => isSameName(line.split('==')[0] ?? '', name)) ?? 'none'} in it`);
};

/** As Python compares names of packages: by letters and digits. An extra, `name[gpu]`, is no part of it. */
const isSameName = (one: string, other: string): boolean => plain(one) === plain(other);
const plain = (name: string): string =>
  name
    .replace(/\[[^\]]*\]/, '')
    .toLowerCase()
    .replaceAll(/[-_.]+/g, '-');

const mostLockBytes = 16 * 1024 * 1024;

const readLock = async (path: string): Promise<Lock> => {
  try {
    const { size } = await stat(path);
    if (size > mostLockBytes) throw new Error(`more than ${mostLockBytes} bytes`);
    return {
      path,
      sha256: createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    };
  } catch (thrown) {
    throw failed(
      `expected a lock file at ${path}, found ${thrown instanceof Error ? thrown.message : String(thrown)}; \`uv pip compile --generate-hashes\` makes one`,
    );
  }
};

type Run = (file: string, argv: readonly string[]) => Promise<string>;

interface What {
  readonly pinned: string;
  readonly locked: Lock | null;
}

const byUv = async (uv: string, env: string, python: string, { pinned, locked }: What, run: Run): Promise<string> => {
  await run(uv, ['venv', '--no-project', env]);
  await run(uv, [
    'pip',
    ...(locked === null ? ['install', '--python', python, pinned] : ['sync', '--require-hashes', '--python', python, locked.path]),
  ]);
  return run(uv, ['pip', 'freeze', '--python', python]);
};

const byPip = async (base: string, env: string, python: string, { pinned, locked }: What, run: Run): Promise<string> => {
  await run(base, ['-m', 'venv', env]);
  const what = locked === null ? [pinned] : ['--require-hashes', '--no-deps', '-r', locked.path];
  await run(python, ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', ...what]);
  return run(python, ['-m', 'pip', 'freeze', '--disable-pip-version-check', '--all']);
};

/** Installers say in words what went wrong; what is not known of them is no reason to try again. */
const judged = (message: string): CauseError => {
  if (/No space left on device|Disk quota exceeded/i.test(message)) return new CauseError({ code: 'disk_full', message });
  if (
    /NewConnectionError|ConnectTimeout|ReadTimeout|Temporary failure in name resolution|Connection refused|dns error|error sending request/i.test(
      message,
    )
  )
    return new CauseError({ code: 'download_unreachable', message });
  return failed(message);
};

const failed = (message: string): CauseError => new CauseError({ code: 'install_failed', message });
