/**
 * Makes an engine present that is built from source: a ref is resolved once and remembered, and built for the GPUs of this machine;
 * what it was built from and with is its key. It is built beside its place and has its name once it was tested.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import { adapterFor } from '../../engines/index.ts';
import type { EngineName, EnginePresent } from '../../machines/vocabulary.ts';
import { syncDir } from '../../os/atomic-file.ts';
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
import { toolEnvironment } from '../tool/environment.ts';
import { runTool, type ToolEnd } from '../tool/run-tool.ts';
import { checkOut, gitEnvironment, type Run } from './checkout.ts';
import { compilerOf, findToolchain, hostCompilersFor, type Toolchain } from './toolchain.ts';

export interface WantedSource {
  readonly engine: EngineName;
  readonly repo: string;
  readonly ref: string;
  readonly submodules: boolean;
  readonly cmakeFlags: readonly string[];
  readonly generator: string | null;
  /** Where it is built; null: below the store. */
  readonly cacheDir: string | null;
}

export interface SourceDeps {
  readonly paths: StorePaths;
  readonly baseDir: string;
  readonly simulated: boolean;
  readonly selfTest: SelfTest;
  /** Compute capabilities of the GPUs, as `90`; empty: not known, or simulated. */
  readonly architectures: () => Promise<readonly string[]>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly silenceMs?: number;
}

export type BuildSource = (wanted: WantedSource, passenger: Passenger) => Promise<EnginePresent>;

/** One file of CUDA may take minutes. */
const usualSilenceMs = 1_800_000;

export const sourceKeyStart = ({ engine, repo, ref }: Pick<WantedSource, 'engine' | 'repo' | 'ref'>): string =>
  `${engine}-src-${shortHash(`${repo} ${ref}`).slice(0, 12)}`;

/** For these cards. */
export const sourceKey = (wanted: Omit<WantedSource, 'cacheDir'>, architectures: readonly string[]): string => {
  const { submodules, cmakeFlags, generator } = wanted;
  return `${sourceKeyStart(wanted)}-${shortHash(JSON.stringify([submodules, cmakeFlags, generator, architectures])).slice(0, 12)}`;
};

/** Rejects with CauseError, or with the reason of the signal. */
export const createBuildSource = (deps: SourceDeps): BuildSource => {
  const flights = createFlights<EnginePresent>();
  return async (wanted, passenger) => {
    const architectures = await deps.architectures();
    const key = sourceKey(wanted, architectures);
    const dir = join(deps.paths.engines, key);
    return flights.join(dir, passenger, async (report, signal) => {
      const waits = (): void => report.phase('building');
      const made = await withLease(
        engineLock(deps.paths, dir),
        signal,
        waits,
        async () => (await current(dir, deps, signal)) ?? make(dir, key, { ...wanted, architectures }, deps, report, signal),
      );
      return presentOf(dir, made);
    });
  };
};

/** Null: not there, touched, or made by other compilers than there are now. Where there are none it is taken as it is. */
const current = async (dir: string, deps: SourceDeps, signal: AbortSignal): Promise<EngineRecord | null> => {
  const record = await intact(dir, deps.simulated);
  if (record === null) return null;
  const tools = await toolsOf(deps).catch(() => null);
  if (tools === null) return record;
  return record.build?.compiler === (await compilerOf(tools, runner(deps, signal))) ? record : null;
};

const toolsOf = (deps: SourceDeps): Promise<Toolchain> => findToolchain(deps.env['PATH'] ?? '', deps.simulated);

const runner = ({ env, silenceMs = usualSilenceMs }: SourceDeps, signal: AbortSignal): Run => {
  const given = { ...toolEnvironment(env), ...gitEnvironment };
  return (file, argv) => runTool({ file, argv, env: given, silenceMs, isPatient: true }, signal);
};

/** As many as there are cores, and as there is memory for: what compiles CUDA takes a gigabyte or two, and less than is left to this control group. */
const jobs = (): number => Math.max(1, Math.min(availableParallelism(), Math.floor(process.availableMemory() / bytesPerJob)));
const bytesPerJob = 2 * 1024 ** 3;

const hostFlag = (host: string | null): readonly string[] => (host === null ? [] : [`-DCMAKE_CUDA_HOST_COMPILER=${host}`]);
const choosesHost = (flags: readonly string[]): boolean => flags.some((flag) => flag.startsWith('-DCMAKE_CUDA_HOST_COMPILER'));

interface Build {
  readonly cmake: string;
  readonly target: string;
  readonly path: string;
  readonly ref: string;
  readonly commit: string;
  /** Whether another compiler for the host is tried where nvcc asks for one. */
  readonly mayChoose: boolean;
}

/** By the usual compiler, and by older ones as long as nvcc says that the one it was given is too new. */
const buildBy = async (
  steps: (host: string | null) => readonly (readonly string[])[],
  { cmake, target, path, ref, commit, mayChoose }: Build,
  run: Run,
): Promise<void> => {
  const tried: string[] = [];
  let left: readonly string[] | null = null;
  for (let host: string | null = null; ; ) {
    const failed = await firstFailure(steps(host), cmake, run);
    if (failed === null) return;
    const asked: readonly string[] | null = mayChoose ? await hostCompilersFor(failed.ended.said, path) : null;
    if (asked !== null) left = (left ?? asked).filter((one) => asked.includes(one) && !tried.includes(one));
    const [next] = asked === null ? [] : (left ?? []);
    if (next === undefined) throw notBuilt(ref, commit, failed, asked === null ? null : tried);
    tried.push(next);
    host = next;
    await rm(target, { recursive: true, force: true });
  }
};

interface FailedStep {
  readonly step: string;
  readonly ended: ToolEnd;
}

const firstFailure = async (steps: readonly (readonly string[])[], cmake: string, run: Run): Promise<FailedStep | null> => {
  for (const argv of steps) {
    const ended = await run(cmake, argv);
    if (!ended.ok) return { step: argv[0] ?? '', ended };
  }
  return null;
};

/** `tried`: compilers that nvcc was given; null: it asked for none. */
const notBuilt = (ref: string, commit: string, { step, ended }: FailedStep, tried: readonly string[] | null): CauseError => {
  const hint =
    tried === null
      ? ''
      : `; nvcc wants an older compiler for the host, and ${tried.length === 0 ? 'none' : `no other than ${tried.join(', ')}`} is on the PATH: install one that it names, or set -DCMAKE_CUDA_HOST_COMPILER`;
  return new CauseError({
    code: 'build_failed',
    message: `expected cmake ${step} to build ${ref}, found ${ended.found}${hint}`,
    details: { commit },
  });
};

type Wanted = WantedSource & { readonly architectures: readonly string[] };

const make = async (dir: string, key: string, wanted: Wanted, deps: SourceDeps, report: JobReport, signal: AbortSignal): Promise<EngineRecord> => {
  const adapter = adapterFor(wanted.engine);
  const { build } = adapter;
  if (build === undefined) {
    throw new CauseError({
      code: 'invalid_spec',
      message: `expected an engine that can be built from source, which llamacpp is, found ${wanted.engine}; build it yourself and use provisioning.mode external`,
    });
  }
  const workshop = join(wanted.cacheDir === null ? join(deps.paths.root, 'builds') : resolve(deps.baseDir, wanted.cacheDir), key);
  const staging = join(deps.paths.engines, `.staging-${key}`);
  try {
    const tools = await toolsOf(deps);
    const run = runner(deps, signal);
    for (const folder of [workshop, staging]) await rm(folder, { recursive: true, force: true });
    const [source, target] = [join(workshop, 'source'), join(workshop, 'build')];
    await mkdir(source, { recursive: true });
    await mkdir(join(filesDir(staging), 'bin'), { recursive: true });
    report.phase('fetching');
    const repo = /^(?:[a-z+]+:\/\/|[\w.-]+@)/i.test(wanted.repo) || isAbsolute(wanted.repo) ? wanted.repo : resolve(deps.baseDir, wanted.repo);
    const commit = await checkOut({ git: tools.git, repo, ref: wanted.ref, submodules: wanted.submodules, into: source }, run);
    report.phase('building');
    const cuda = tools.nvcc === null ? [] : [...build.cudaFlags(wanted.architectures), `-DCMAKE_CUDA_COMPILER=${tools.nvcc}`];
    const generator = wanted.generator === null ? [] : ['-G', wanted.generator];
    const usual = ['-DCMAKE_BUILD_TYPE=Release', '-DBUILD_SHARED_LIBS=OFF', `-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=${join(target, 'bin')}`];
    const steps = (host: string | null): readonly (readonly string[])[] => [
      ['-S', source, '-B', target, ...generator, ...usual, ...build.flags, ...cuda, ...hostFlag(host), ...wanted.cmakeFlags],
      ['--build', target, '--target', build.target, '--parallel', String(jobs())],
    ];
    const path = deps.env['PATH'] ?? '';
    await buildBy(
      steps,
      { cmake: tools.cmake, target, path, ref: wanted.ref, commit, mayChoose: tools.nvcc !== null && !choosesHost(wanted.cmakeFlags) },
      run,
    );
    const executable = join('bin', build.target);
    await copyFile(join(target, executable), join(filesDir(staging), executable)).catch((thrown: unknown) => {
      throw new CauseError({
        code: 'build_failed',
        message: `expected the build to make ${executable}, found ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      });
    });
    const shown = await deps.selfTest(join(filesDir(staging), executable), adapter, signal);
    const content = await readFile(join(filesDir(staging), executable));
    const file = { path: executable, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
    const record: EngineRecord = {
      version: 1,
      key,
      engine: wanted.engine,
      from: `${wanted.repo.replace(/\/\/[^/@]*@/, '//')}@${wanted.ref}`,
      checksum: `sha256:${file.sha256}`,
      executable,
      ...tested(shown, deps.simulated),
      files: await identified(filesDir(staging), [file]),
      packages: null,
      build: { commit, compiler: await compilerOf(tools, run), architectures: [...wanted.architectures] },
      at: new Date().toISOString(),
    };
    await writeEngineRecord(staging, record);
    await rm(dir, { recursive: true, force: true });
    await rename(staging, dir);
    await syncDir(deps.paths.engines);
    const { from, checksum } = record;
    await appendProvenance(deps.paths.provenance, {
      action: 'installed',
      what: 'engine',
      key,
      from,
      revision: commit,
      bytes: file.bytes,
      digests: [checksum],
    });
    return record;
  } catch (thrown) {
    throw thrown instanceof CauseError || signal.aborted ? thrown : storeFailed(dir, thrown);
  } finally {
    for (const folder of [workshop, staging]) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
};
