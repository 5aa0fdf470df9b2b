/**
 * The files between the daemon and the units of engines, by their two writers: in `specs/` the daemon's (what to run, that it
 * may run, how to stop), in `/run/llama-engines/<pool>/` the unit's (how it ended). All of them are gone at a reboot, and so are
 * the units.
 */
import { chown, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { CauseError } from '../../cause.ts';
import type { EngineExit } from '../../machines/vocabulary.ts';
import { writeFileAtomically } from '../../os/atomic-file.ts';
import { FileRefused, readTextSafely } from '../../os/read-safely.ts';
import type { UnitSpec } from './unit-spec.ts';

/** Said by the unit when nothing of it runs any more. */
export interface Ended {
  readonly invocationId: string;
  /** systemd's word: success, exit-code, signal, oom-kill, timeout, … */
  readonly result: string;
  readonly exit: EngineExit;
}

export interface UnitFilesOptions {
  /** `/run/pool-managerd/specs`, whose group is that of the engines. */
  readonly specsDir: string;
  /** `/run/llama-engines`. */
  readonly enginesDir: string;
}

export interface UnitFiles {
  /** Everything engine-exec will look for but the word to go on. Throws CauseError `state_store_failed` or `disk_full`, as all writers here. */
  prepare(spec: UnitSpec): Promise<void>;
  /** The run is recorded: engine-exec may become the engine. */
  letGo(poolId: string, incarnation: string): Promise<void>;
  /** How the next stop of the unit is to be. */
  writeStop(poolId: string, signal: 'SIGTERM' | 'SIGINT', graceMs: number): Promise<void>;
  ended(poolId: string): Promise<Ended | null>;
  /** Where `ended` appears. */
  dirOf(poolId: string): string;
  /** Of this incarnation; a newer run's are left. */
  remove(poolId: string, incarnation: string): Promise<void>;
}

export const specFile = (specsDir: string, poolId: string): string => join(specsDir, `${poolId}.json`);
/** Holds the incarnation that may go on. */
export const goFile = (specsDir: string, poolId: string): string => join(specsDir, `${poolId}.go`);
/** `TERM 15000`: signal and grace, for ExecStop=. */
const stopFile = (specsDir: string, poolId: string): string => join(specsDir, `${poolId}.stop`);
export const endedFileName = 'exit.json';

/** Where the units look for them. */
export const systemUnitFiles = (): UnitFiles => unitFiles({ specsDir: '/run/pool-managerd/specs', enginesDir: '/run/llama-engines' });

export const unitFiles = ({ specsDir, enginesDir }: UnitFilesOptions): UnitFiles => {
  const dirOf = (poolId: string): string => join(enginesDir, poolId);
  const share = async (path: string, text: string): Promise<void> => {
    await writeFileAtomically(path, text, { mode: 0o640 });
    await chown(path, -1, (await stat(specsDir)).gid);
  };
  return {
    dirOf,
    prepare: (spec) =>
      guarded(specsDir, async () => {
        await openLogFor((await stat(specsDir)).gid, spec.logFile);
        for (const left of [goFile(specsDir, spec.poolId), stopFile(specsDir, spec.poolId)]) await rm(left, { force: true });
        await share(specFile(specsDir, spec.poolId), JSON.stringify(spec));
      }),
    letGo: (poolId, incarnation) => guarded(specsDir, () => share(goFile(specsDir, poolId), incarnation)),
    writeStop: (poolId, signal, graceMs) =>
      guarded(specsDir, () => share(stopFile(specsDir, poolId), `${signal.slice(3)} ${Math.max(0, Math.ceil(graceMs))}\n`)),
    ended: async (poolId) => {
      const found = await readJson(join(dirOf(poolId), endedFileName), endedSchema);
      return found === null ? null : { invocationId: found.invocationId, result: found.result, exit: exitOf(found) };
    },
    remove: (poolId, incarnation) =>
      guarded(specsDir, async () => {
        const spec = await readJson(specFile(specsDir, poolId), v.object({ incarnation: v.string() }));
        if (spec !== null && spec.incarnation !== incarnation) return;
        for (const file of [specFile, goFile, stopFile]) await rm(file(specsDir, poolId), { force: true });
      }),
  };
};

/** The engine, another user, may go through the folder and append to the file; it can neither list nor replace. */
const openLogFor = async (gid: number, logFile: string): Promise<void> => {
  const dir = dirname(logFile);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [folder, file] = [await open(dir, 'r'), await open(logFile, 'a', 0o600)];
  try {
    await folder.chown((await folder.stat()).uid, gid);
    await folder.chmod(0o710);
    await file.chown((await file.stat()).uid, gid);
    await file.chmod(0o620);
  } finally {
    await folder.close();
    await file.close();
  }
};

const guarded = async (dir: string, write: () => Promise<void>): Promise<void> => {
  await write().catch((thrown: unknown) => {
    if (thrown instanceof CauseError) throw thrown;
    throw new CauseError({
      code: 'state_store_failed',
      message: `expected to write what engine units read in ${dir}, found ${thrown instanceof Error ? thrown.message : String(thrown)}; \`systemd-tmpfiles --create pool-managerd.conf\` makes the folder, and the user of the daemon belongs to the group of the engines`,
    });
  });
};

const mostBytes = 512 * 1024;

/** Null: not there, or not (yet) what its writer writes. */
const readJson = async <T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T | null> => {
  try {
    const { text } = await readTextSafely(path, { maxBytes: mostBytes });
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), text);
    return parsed.success ? parsed.output : null;
  } catch (thrown) {
    if (thrown instanceof FileRefused || (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')) return null;
    throw thrown;
  }
};

const invocation = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const endedSchema = v.strictObject({ invocationId: invocation, result: v.string(), exitCode: v.string(), exitStatus: v.string() });
/** `$EXIT_CODE` and `$EXIT_STATUS` of systemd.exec(5). Empty where no main process was ever started. */
const exitOf = ({ exitCode, exitStatus }: { readonly exitCode: string; readonly exitStatus: string }): EngineExit => {
  if (exitCode === 'exited') return { code: Number(exitStatus), signal: null };
  if (exitCode === 'killed' || exitCode === 'dumped') return { code: null, signal: `SIG${exitStatus}` };
  return { code: null, signal: null };
};
