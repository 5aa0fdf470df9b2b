/**
 * Puts an engine that was carried into the store: beside its place first, from files that were verified; there it shows what it can do, and
 * then it is given its name with its record in it. A Python environment is refused where it would not run by its very path.
 */
import { chmod, copyFile, mkdir, rename, rm, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CauseError } from '../../cause.ts';
import { adapterFor } from '../../engines/index.ts';
import { syncDir } from '../../os/atomic-file.ts';
import { engineLock } from '../engines/install.ts';
import { identified, intact, tested } from '../engines/installed.ts';
import { type EngineRecord, filesDir, writeEngineRecord } from '../engines/record.ts';
import { storeFailed } from '../fetch/failures.ts';
import type { SelfTest, SelfTested } from '../self-test/self-test.ts';
import type { Passenger } from '../store/flights.ts';
import { withLease } from '../store/lease.ts';
import type { StorePaths } from '../store/paths.ts';
import { appendProvenance } from '../store/provenance.ts';
import { interpreterOf } from './environment/interpreter.ts';
import { startedBeside, startOf } from './environment/program.ts';
import { needSameMachine } from './environment/same-machine.ts';
import { imported } from './imported.ts';
import { type CarriedEngine, type CarriedEnvironment, entryOf, refused } from './manifest.ts';

export interface EnginePlace {
  readonly paths: StorePaths;
  readonly simulated: boolean;
  readonly selfTest: SelfTest;
  /** Where the files of the import lie, verified. */
  readonly staging: string;
  readonly passenger: Passenger;
}

export const takeEngine = async (carried: CarriedEngine, place: EnginePlace): Promise<void> => {
  const { paths, simulated, passenger } = place;
  const { report, signal } = passenger;
  const dir = join(paths.engines, carried.key);
  await withLease(
    engineLock(paths, dir),
    signal,
    () => report.phase('building'),
    async () => {
      if ((await intact(dir, simulated)) !== null) return;
      report.phase('building');
      const { environment } = carried;
      if (environment !== null) await needSameMachine(environment, filesDir(dir), carried.key, signal);
      const making = join(paths.engines, `.staging-${carried.key}`);
      await rm(making, { recursive: true, force: true });
      try {
        await lay(carried, place.staging, filesDir(making));
        const shown = environment === null ? await show(carried, filesDir(making), place) : await showBeside(carried, environment, making, place);
        const record = await recordOf(carried, filesDir(making), shown, simulated);
        await writeEngineRecord(making, record);
        await rm(dir, { recursive: true, force: true });
        await rename(making, dir);
        await syncDir(paths.engines);
        const { key, from, build, files, checksum } = carried;
        await appendProvenance(paths.provenance, imported('engine', key, from, build?.commit ?? record.engineVersion, files, [checksum]));
      } catch (thrown) {
        throw thrown instanceof CauseError || signal.aborted ? thrown : storeFailed(dir, thrown);
      } finally {
        await rm(making, { recursive: true, force: true });
      }
    },
  );
};

const lay = async ({ files, environment }: CarriedEngine, staging: string, into: string): Promise<void> => {
  for (const { path, sha256, isExecutable, changedAt } of files) {
    const file = join(into, path);
    await mkdir(dirname(file), { recursive: true });
    // Not a second name of it: another engine may have it with other rights.
    await copyFile(join(staging, entryOf(sha256)), file);
    await chmod(file, isExecutable ? 0o755 : 0o644);
    if (changedAt !== null) await utimes(file, changedAt, changedAt);
  }
  for (const folder of environment?.folders ?? []) await mkdir(join(into, folder), { recursive: true });
  // Behind all that is written, so that nothing is written through one.
  for (const { path, target } of environment?.links ?? []) {
    await mkdir(dirname(join(into, path)), { recursive: true });
    await symlink(target, join(into, path));
  }
};

const show = ({ executable, engine }: CarriedEngine, files: string, { selfTest, passenger }: EnginePlace): Promise<SelfTested> =>
  selfTest(join(files, executable), adapterFor(engine), passenger.signal);

/** Its program names an interpreter at a path where nothing lies yet: it is started by the one that lies here. */
const showBeside = async (
  { key, executable, engine }: CarriedEngine,
  { path, python, links }: CarriedEnvironment,
  making: string,
  { selfTest, passenger: { signal } }: EnginePlace,
): Promise<SelfTested> => {
  const environment = filesDir(making);
  const found = await interpreterOf(environment, links);
  if (typeof found === 'string') throw refused(`${found}, in the environment ${key}`);
  if (found.path !== python.path || found.version !== python.version)
    throw refused(`the environment ${key} of Python ${found.version} at ${found.path}, which is not what its manifest says`);
  const start = await startOf(join(environment, executable), path);
  if (typeof start === 'string') throw refused(`${start}, in the environment ${key}`);
  return startedBeside({ dir: making, environment, program: executable }, start, (stand) => selfTest(stand, adapterFor(engine), signal));
};

const recordOf = async (carried: CarriedEngine, into: string, shown: SelfTested, simulated: boolean): Promise<EngineRecord> => {
  const { key, engine, from, checksum, executable, environment, build, at } = carried;
  // As after an installation: of an environment only the program is looked at each time.
  const known = carried.files.filter(({ path }) => environment === null || path === executable);
  return {
    version: 1,
    key,
    engine,
    from,
    checksum,
    executable,
    ...tested(shown, simulated),
    files: await identified(
      into,
      known.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })),
    ),
    packages: environment?.packages ?? null,
    build,
    at,
  };
};
