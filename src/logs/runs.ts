/**
 * Where the output of engines lies, and what the names of the files say. Reads directories, writes nothing.
 *
 *     <state>/logs/<pool>/<startedAtMs>-<incarnation>.log            what the engine appends to
 *     <state>/logs/<pool>/<startedAtMs>-<incarnation>.<offset>.kept  the last of what was cut off in front of it, or empty
 *
 * Everything that the engines of one pool ever wrote, in either berth, is one row of bytes, runs one behind the other; an
 * offset is a place in it. `<offset>` is the place of the log's first byte: a name, since a rename is whole or not at all, whatever crashes. Of two,
 * the larger counts.
 */
import { readdirSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { otherBerthOf } from '../machines/policies/berths.ts';
import { poolIdPattern } from '../state/schemas.ts';

export interface Run {
  readonly dir: string;
  /** `<startedAtMs>-<incarnation>` */
  readonly name: string;
  /** Runs are ordered by it: `createEngineLog` sees to it that it grows, whatever the wall clock does. */
  readonly startedAt: number;
  readonly log: string;
  readonly kept: string | null;
  /** Kept files that a crash left behind. */
  readonly stale: readonly string[];
  /** Of the first byte that is still there, and of the first byte in the log; between them lies what is kept. */
  readonly start: number;
  readonly offset: number;
}

export const logsDirOf = (stateDir: string): string => resolve(stateDir, 'logs');

/** Throws for what is not a pool id: it becomes a part of a path. */
export const poolLogDir = (stateDir: string, poolId: string): string => {
  if (poolIdPattern.test(poolId)) return join(logsDirOf(stateDir), poolId);
  throw new Error(`expected a pool id, found ${JSON.stringify(poolId)}`);
};

export const runName = (startedAt: number, incarnation: string): string => {
  if (incarnationPattern.test(incarnation)) return `${startedAt}-${incarnation}`;
  throw new Error(`expected an incarnation of at most 128 letters, digits, dashes and underscores, found ${JSON.stringify(incarnation)}`);
};

export const logName = (run: string): string => `${run}.log`;
export const keptName = (run: string, offset: number): string => `${run}.${offset}.kept`;
/** What a kept file is called until it is whole. */
export const unfinishedName = (run: string): string => `${run}.unfinished`;

/** The run that a file of ours belongs to; null for a foreign file. */
export const runOfFile = (file: string): string | null => ownFile.exec(file)?.[1] ?? null;

/** Oldest first; none where there is no directory. Throws `MovedMeanwhile` when a run was cut or removed while it was looked at. */
export const listRuns = async (dir: string): Promise<readonly Run[]> => Promise.all((await findRuns(dir)).map(measured));

/** The run of one log, also one with a name of another form. */
export const runOfLog = async (log: string): Promise<Run> => {
  const dir = dirname(log);
  const own = ownLog.test(basename(log)) ? (await findRuns(dir)).find((run) => logName(run.name) === basename(log)) : undefined;
  return measured(own ?? named(dir, basename(log), []));
};

/** The place after the last byte written so far; null where nothing was begun. At once, so that "from now" means now. */
export const endNow = (dir: string): { readonly log: string; readonly offset: number; readonly end: number } | null => {
  try {
    const last = bothDirs(dir)
      .flatMap((one) => namedRuns(one, namesNow(one)))
      .sort(byStart)
      .at(-1);
    return last === undefined ? null : { log: last.log, offset: last.offset, end: last.offset + statSync(last.log).size };
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
};

const namesNow = (dir: string): readonly string[] => {
  try {
    return readdirSync(dir);
  } catch (thrown) {
    return noneIfMissing(thrown);
  }
};

/** Offsets moved between two looks: look again. */
export class MovedMeanwhile extends Error {
  override readonly name = 'MovedMeanwhile';
}

export const isMissing = (thrown: unknown): boolean => thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';

const incarnationPattern = /^[A-Za-z0-9_-]{1,128}$/;
const ownFile = /^(\d{1,15}-[A-Za-z0-9_-]{1,128})\.(?:log|\d{1,16}\.kept|unfinished)$/;
const ownLog = /^\d{1,15}-[A-Za-z0-9_-]{1,128}\.log$/;

/** A listing made while a cut gives names anew may lack both the old and the new one; the cut is over before the next listing. */
const findRuns = async (dir: string): Promise<readonly NamedRun[]> => {
  const found = (await Promise.all(bothDirs(dir).map(findIn))).flat();
  return found.sort(byStart);
};

const findIn = async (dir: string): Promise<readonly NamedRun[]> => {
  const found = namedRuns(dir, await readdir(dir).catch(noneIfMissing));
  return found.every(({ kept }) => kept !== null) ? found : namedRuns(dir, await readdir(dir).catch(noneIfMissing));
};

/** The pool's engines in its two berths write one row of runs. */
const bothDirs = (dir: string): readonly string[] => [dir, join(dirname(dir), otherBerthOf(basename(dir)))];

const byStart = (one: NamedRun, other: NamedRun): number => one.startedAt - other.startedAt;

const noneIfMissing = (thrown: unknown): string[] => {
  if (isMissing(thrown)) return [];
  throw thrown;
};

const namedRuns = (dir: string, names: readonly string[]): NamedRun[] =>
  names.filter((name) => ownLog.test(name)).map((name) => named(dir, name, names));

type NamedRun = Omit<Run, 'start'>;

const named = (dir: string, log: string, names: readonly string[]): NamedRun => {
  const name = log.replace(/\.log$/, '');
  const [head, ...stale] = names
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.kept'))
    .map((file) => ({ file: join(dir, file), offset: Number(file.slice(name.length + 1, -'.kept'.length)) }))
    .sort((one, other) => other.offset - one.offset);
  return {
    dir,
    name,
    startedAt: Number.parseInt(name, 10) || 0,
    log: join(dir, log),
    kept: head?.file ?? null,
    stale: stale.map(({ file }) => file),
    offset: head?.offset ?? 0,
  };
};

const measured = async (run: NamedRun): Promise<Run> => {
  if (run.kept === null) return { ...run, start: run.offset };
  const { size } = await stat(run.kept).catch((thrown: unknown) => {
    throw isMissing(thrown) ? new MovedMeanwhile(`${run.kept} is gone`) : thrown;
  });
  return { ...run, start: run.offset - size };
};
