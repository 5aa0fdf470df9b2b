/**
 * The files between the daemon and the units of engines, by their two writers: in `specs/` the daemon's (what to run, how to
 * stop), in `/run/llama-engines/<pool>/` the unit's (what was started, how it ended). All of them are gone at a reboot, and so
 * are the units.
 */
import { chown, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { CauseError } from '../../cause.ts';
import type { EngineExit, RunRecord } from '../../machines/vocabulary.ts';
import { writeFileAtomically } from '../../os/atomic-file.ts';
import { FileRefused, readTextSafely } from '../../os/read-safely.ts';
import { runRecordSchema } from '../../state/schemas.ts';
import type { UnitSpec } from './unit-spec.ts';

/** Known of a run before its process is. */
export type PendingRun = Omit<RunRecord, 'pid' | 'startTime' | 'unit' | 'invocationId' | 'launcher' | 'exitFifo' | 'startedAt' | 'startedMono'>;

/** Said by engine-exec right before it became the engine. */
export interface Started {
  readonly incarnation: string;
  readonly invocationId: string;
  readonly pid: number;
  readonly startTime: number;
}

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
  /** Everything the unit will look for, and the run as it will be recorded. Throws CauseError `state_store_failed` or `disk_full`. */
  prepare(spec: UnitSpec, run: PendingRun): Promise<void>;
  /** For ExecStop, in `TERM 15000` form. */
  writeStop(poolId: string, signal: 'SIGTERM' | 'SIGINT', graceMs: number): Promise<void>;
  pending(poolId: string): Promise<PendingRun | null>;
  started(poolId: string): Promise<Started | null>;
  ended(poolId: string): Promise<Ended | null>;
  /** Where `ended` appears. */
  dirOf(poolId: string): string;
}

export const specFile = (specsDir: string, poolId: string): string => join(specsDir, `${poolId}.json`);
export const startedFile = (engineDir: string): string => join(engineDir, 'started.json');
export const endedFileName = 'exit.json';

export const unitFiles = ({ specsDir, enginesDir }: UnitFilesOptions): UnitFiles => {
  const dirOf = (poolId: string): string => join(enginesDir, poolId);
  const share = async (path: string, text: string): Promise<void> => {
    await writeFileAtomically(path, text, { mode: 0o640 });
    await chown(path, -1, (await stat(specsDir)).gid);
  };
  return {
    dirOf,
    prepare: async (spec, run) => {
      await guarded(specsDir, async () => {
        const { gid } = await stat(specsDir);
        await openLogFor(gid, spec.logFile);
        await rm(join(specsDir, `${spec.poolId}.stop`), { force: true });
        await writeFileAtomically(join(specsDir, `${spec.poolId}.run`), JSON.stringify(run), { mode: 0o600 });
        await share(specFile(specsDir, spec.poolId), JSON.stringify(spec));
      });
    },
    writeStop: (poolId, signal, graceMs) =>
      guarded(specsDir, () => share(join(specsDir, `${poolId}.stop`), `${signal.slice(3)} ${Math.max(0, Math.ceil(graceMs))}\n`)),
    pending: (poolId) => readJson(join(specsDir, `${poolId}.run`), pendingSchema),
    started: (poolId) => readJson(startedFile(dirOf(poolId)), startedSchema),
    ended: async (poolId) => {
      const found = await readJson(join(dirOf(poolId), endedFileName), endedSchema);
      return found === null ? null : { invocationId: found.invocationId, result: found.result, exit: exitOf(found) };
    },
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

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const invocation = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
export const startedSchema = v.strictObject({ incarnation: v.string(), invocationId: invocation, pid: whole, startTime: whole });
const endedSchema = v.strictObject({ invocationId: invocation, result: v.string(), exitCode: v.string(), exitStatus: v.string() });
const pendingSchema = v.omit(runRecordSchema, [
  'pid',
  'startTime',
  'unit',
  'invocationId',
  'launcher',
  'exitFifo',
  'startedAt',
  'startedMono',
]) satisfies v.GenericSchema<unknown, PendingRun>;

/** `$EXIT_CODE` and `$EXIT_STATUS` of systemd.exec(5). Empty where no main process was ever started. */
const exitOf = ({ exitCode, exitStatus }: { readonly exitCode: string; readonly exitStatus: string }): EngineExit => {
  if (exitCode === 'exited') return { code: Number(exitStatus), signal: null };
  if (exitCode === 'killed' || exitCode === 'dumped') return { code: null, signal: `SIG${exitStatus}` };
  return { code: null, signal: null };
};
