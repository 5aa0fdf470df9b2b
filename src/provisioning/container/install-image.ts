/**
 * Makes an engine present that comes as an image: pulled by its digest, which the runtime verifies, asked inside for version, flags
 * and devices, and only then written down. The image stays where the runtime keeps its own.
 */
import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CauseError } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import { adapterFor } from '../../engines/index.ts';
import type { EngineName, EnginePresent } from '../../machines/vocabulary.ts';
import { engineLock } from '../engines/install.ts';
import { intact, tested } from '../engines/installed.ts';
import { type EngineRecord, writeEngineRecord } from '../engines/record.ts';
import { storeFailed } from '../fetch/failures.ts';
import type { JobReport } from '../jobs/job.ts';
import { createFlights, type Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import { type StorePaths, shortHash } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { type ImageFacts, imageReference, lookAtImage, type WantedImage } from './image.ts';
import type { Answering, Containers } from './runtime.ts';

export interface WantedContainer extends WantedImage {
  readonly engine: EngineName;
  /** In the image; null: its entrypoint where that is the engine, else by the engine's usual name. */
  readonly executable: string | null;
}

export interface ImageDeps {
  readonly paths: StorePaths;
  readonly simulated: boolean;
  /** Null: engines of this daemon are units of their own, which containers cannot be. */
  readonly containers: Containers | null;
  readonly silenceMs?: number;
}

export type InstallImage = (wanted: WantedContainer, passenger: Passenger) => Promise<EnginePresent>;

/** Runtimes say nothing while a layer comes, which may be gigabytes. */
const usualSilenceMs = 1_800_000;

export const containerKey = ({ engine, digest, executable }: Pick<WantedContainer, 'engine' | 'digest' | 'executable'>): string =>
  `${engine}-ctr-${digest.slice('sha256:'.length, 'sha256:'.length + 20)}${executable === null ? '' : `-${shortHash(executable).slice(0, 8)}`}`;

/** Rejects with CauseError, or with the reason of the signal. */
export const createInstallImage = (deps: ImageDeps): InstallImage => {
  const flights = createFlights<EnginePresent>();
  return (wanted, passenger) => {
    const { containers } = deps;
    if (containers === null) return Promise.reject(asUnit());
    const dir = join(deps.paths.engines, containerKey(wanted));
    return flights.join(dir, passenger, async (report, signal) => {
      const runtime = await containers.find(signal);
      const waits = (): void => report.phase('fetching');
      const record = await withLease(
        engineLock(deps.paths, dir),
        signal,
        waits,
        async () => (await present(dir, wanted, runtime, deps, signal)) ?? make(dir, wanted, runtime, deps, report, signal),
      );
      return { executable: record.executable, version: record.engineVersion, knownFlags: record.knownFlags };
    });
  };
};

const asUnit = (): CauseError =>
  new CauseError({
    code: 'engine_incompatible',
    message:
      'expected the detached launcher for provisioning.mode container, found systemd: a container is a child of its runtime and can be no unit of ours; set POOL_MANAGERD_LAUNCHER=detached, or use another mode',
  });

const present = async (
  dir: string,
  wanted: WantedContainer,
  runtime: Answering,
  deps: ImageDeps,
  signal: AbortSignal,
): Promise<EngineRecord | null> => {
  const record = await intact(dir, deps.simulated);
  return record !== null && (await lookAtImage(runtime, wanted, signal)) !== null ? record : null;
};

const make = async (
  dir: string,
  wanted: WantedContainer,
  runtime: Answering,
  deps: ImageDeps,
  report: JobReport,
  signal: AbortSignal,
): Promise<EngineRecord> => {
  const image = (await lookAtImage(runtime, wanted, signal)) ?? (await pull(wanted, runtime, deps, report, signal));
  report.phase('building');
  const adapter = adapterFor(wanted.engine);
  const executable = executableOf(image, wanted, adapter);
  const shown = await test(executable, wanted, runtime, adapter, deps.simulated, signal);
  const record: EngineRecord = {
    version: 1,
    key: containerKey(wanted),
    engine: wanted.engine,
    from: `${runtime.name}:${imageReference(wanted)}`,
    checksum: wanted.digest,
    executable,
    ...tested(shown, deps.simulated),
    files: [],
    packages: null,
    build: null,
    at: new Date().toISOString(),
  };
  try {
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    await writeEngineRecord(dir, record);
  } catch (thrown) {
    throw storeFailed(dir, thrown);
  }
  const { key, from, engineVersion: revision, checksum } = record;
  await appendProvenance(deps.paths.provenance, { action: 'installed', what: 'engine', key, from, revision, bytes: null, digests: [checksum] });
  return record;
};

const pull = async (
  wanted: WantedContainer,
  runtime: Answering,
  { silenceMs = usualSilenceMs }: ImageDeps,
  report: JobReport,
  signal: AbortSignal,
): Promise<ImageFacts> => {
  report.phase('fetching');
  const reference = imageReference(wanted);
  const ended = await runtime.call(['pull', '--quiet', reference], signal, silenceMs);
  if (!ended.ok) throw judged(`expected ${runtime.name} to pull ${reference}, found ${ended.found}`);
  const image = await lookAtImage(runtime, wanted, signal);
  if (image !== null) return image;
  throw new CauseError({
    code: 'digest_mismatch',
    message: `expected ${runtime.name} to have an image of ${wanted.digest} after it pulled ${reference}, found none of that digest`,
  });
};

const executableOf = ({ entrypoint }: ImageFacts, wanted: WantedContainer, adapter: EngineAdapter): string => {
  const usual = entrypoint !== null && adapter.executables.includes(basename(entrypoint)) ? entrypoint : adapter.executables[0];
  const executable = wanted.executable ?? usual;
  if (executable !== undefined) return executable;
  throw new CauseError({
    code: 'invalid_spec',
    message: `expected \`provisioning.container.executable\`, since the engine ${adapter.name} has no usual name, found none`,
  });
};

/** What it says of itself in a container without network; what it can compute on with all cards given to it. */
const test = async (
  executable: string,
  wanted: WantedContainer,
  runtime: Answering,
  adapter: EngineAdapter,
  simulated: boolean,
  signal: AbortSignal,
) => {
  const ask = async (argv: readonly string[], cards: readonly string[] = []): Promise<string> => {
    const ended = await runtime.call(askArgv(executable, argv, wanted, runtime, cards), signal, adapter.askWithinMs ?? 60_000);
    if (ended.ok) return ended.said;
    throw incompatible(`expected ${executable} ${argv.join(' ')} in ${imageReference(wanted)} to answer, found ${ended.found}`);
  };
  const version = adapter.version === null ? null : adapter.version.parse(await ask(adapter.version.argv));
  const knownFlags = adapter.help === null ? null : adapter.help.parseFlags(await ask(adapter.help.argv));
  const { selfTest } = adapter;
  if (selfTest === undefined) return { version, knownFlags, devices: null, tokenMs: null };
  // None: so that it is asked once there are real ones.
  if (simulated) return { version, knownFlags, devices: [], tokenMs: null };
  const devices = selfTest.devices.parse(await ask(selfTest.devices.argv, ['--device', 'nvidia.com/gpu=all']));
  if (!devices.some((device) => /^CUDA\d/.test(device)))
    throw incompatible(
      `expected ${executable} in ${imageReference(wanted)} to list a CUDA device, found ${devices.join(', ') || 'none'}; it would run on the CPU. Take an image with CUDA for the driver of this machine`,
    );
  return { version, knownFlags, devices, tokenMs: null };
};

const askArgv = (
  executable: string,
  argv: readonly string[],
  wanted: WantedImage,
  { user }: Answering,
  cards: readonly string[],
): readonly string[] => [
  'run',
  '--rm',
  '--pull',
  'never',
  '--network',
  'none',
  '--user',
  user,
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
  ...cards,
  '--entrypoint',
  executable,
  imageReference(wanted),
  ...argv,
];

const incompatible = (message: string): CauseError => new CauseError({ code: 'engine_incompatible', message: message + hintOf(message) });

/** Without its list of cards a runtime can give none. */
const hintOf = (message: string): string =>
  /CDI/.test(message) ? '; `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`, of the NVIDIA Container Toolkit, says which cards there are' : '';

/** Runtimes say in words what went wrong. */
const judged = (message: string): CauseError => {
  if (/no space left on device|disk quota exceeded/i.test(message)) return new CauseError({ code: 'disk_full', message });
  if (/unauthorized|authentication required|denied/i.test(message))
    return new CauseError({ code: 'download_unauthorized', message: `${message}; \`podman login\` or \`docker login\` as the user of the daemon` });
  if (/manifest unknown|not found|name unknown|short-name/i.test(message))
    return new CauseError({ code: 'engine_missing', message: `${message}; name the image with its registry, and a digest that is there` });
  if (/connection refused|no such host|i\/o timeout|dial tcp|TLS handshake timeout|server misbehaving/i.test(message))
    return new CauseError({ code: 'download_unreachable', message });
  return new CauseError({ code: 'download_failed', message });
};
