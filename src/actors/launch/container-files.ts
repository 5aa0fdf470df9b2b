/**
 * What a container is given of the machine's disk: the files of its engine, and a folder of its own below the state directory with its
 * environment and the FIFO that it waits at. The folder is made before the container and goes after it, so one that no record names is
 * the trace of a start that was cut off.
 */
import { closeSync, statSync, writeSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CauseError } from '../../cause.ts';
import { shardsOf } from '../../gpu/estimate/read-shape.ts';
import type { RunRecord } from '../../machines/vocabulary.ts';
import { fdsOf } from '../../os/proc-fds.ts';
import type { RuntimeName } from '../../provisioning/container/runtime.ts';
import type { RunFacts } from '../launcher.ts';
import { makeExitFifo } from './exit-fifo.ts';

export type StartOf = Pick<RunRecord, 'poolId' | 'incarnation'>;

export interface Berth {
  readonly go: string;
  readonly env: string;
  /** What waits at the FIFO goes on. */
  open(): void;
  /** What waits there ends. Also after `open`. */
  close(): void;
}

const folder = 'containers';

const dirOf = (stateDir: string, { poolId, incarnation }: StartOf): string => join(stateDir, folder, `${poolId}.${incarnation}`);

/** Throws CauseError. */
export const makeBerth = async (stateDir: string, start: StartOf, runtime: RuntimeName, env: Readonly<Record<string, string>>): Promise<Berth> => {
  const odd = Object.entries(env).find(([name, value]) => !/^[A-Za-z_]\w*$/.test(name) || /[\r\n]/.test(value));
  if (odd !== undefined)
    throw new CauseError({
      code: 'invalid_spec',
      message: `expected \`env\` of a container to be names of letters, digits and _, and values of one line, found ${JSON.stringify(odd[0])}`,
    });
  const dir = dirOf(stateDir, start);
  const [go, envFile] = [join(dir, 'go'), join(dir, 'env')];
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeFile(join(dir, 'runtime'), runtime);
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(envFile, lines.join(''), { mode: 0o600 });
  const { writeEnd } = await makeExitFifo(go);
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(writeEnd);
    isOpen = false;
  };
  return {
    go,
    env: envFile,
    close,
    open: () => {
      writeSync(writeEnd, 'go\n');
      close();
    },
  };
};

export const removeBerth = (stateDir: string, start: StartOf): Promise<void> => rm(dirOf(stateDir, start), { recursive: true, force: true });

/** Starts without a record, as their folders tell. Only while no engine is being started. */
export const strayBerths = async (
  stateDir: string,
  recorded: readonly StartOf[],
): Promise<readonly (StartOf & { readonly runtime: RuntimeName })[]> => {
  const names = await readdir(join(stateDir, folder)).catch(() => []);
  const kept = new Set(recorded.map(({ poolId, incarnation }) => `${poolId}.${incarnation}`));
  const strays = names.filter((name) => !kept.has(name));
  return Promise.all(
    strays.map(async (name) => {
      const at = name.lastIndexOf('.');
      const runtime = await readFile(join(stateDir, folder, name, 'runtime'), 'utf8').catch(() => '');
      return { poolId: name.slice(0, at), incarnation: name.slice(at + 1), runtime: runtime === 'docker' ? 'docker' : 'podman' };
    }),
  );
};

/** `denied`: its open files are not ours to see. */
export const holdsFile = (pid: number, path: string): boolean | 'denied' => {
  const fds = fdsOf(pid);
  if (fds === 'denied') return 'denied';
  const { dev, ino } = statSync(path);
  return fds.some(({ fd }) => {
    // By its device and number: inside, its name may be another.
    const open = statOrNull(`/proc/${pid}/fd/${fd}`);
    return open?.dev === dev && open.ino === ino;
  });
};

const statOrNull = (path: string) => {
  try {
    return statSync(path);
  } catch {
    return null;
  }
};

interface Read {
  readonly from: string;
  readonly at: string;
}

/** The model, all shards of it and what its links lead to, and the key of its clients. Throws CauseError. */
export const readsOf = async ({ model, spec }: RunFacts): Promise<readonly Read[]> => {
  const reads = [
    ...(model.path === null ? [] : await modelReads(model.path)),
    ...(spec.api_key_file === null ? [] : [await asItIs(spec.api_key_file)]),
  ];
  const odd = reads.flatMap(({ from, at }) => [from, at]).find((path) => /[",\r\n]/.test(path));
  if (odd === undefined) return reads;
  throw new CauseError({
    code: 'invalid_spec',
    message: `expected paths without commas and quotes, since container runtimes take them apart there, found ${JSON.stringify(odd)}; rename it`,
  });
};

const asItIs = async (path: string): Promise<Read> => ({ from: await realpath(path), at: path });

const modelReads = async (path: string): Promise<readonly Read[]> => {
  if (!(await stat(path)).isDirectory()) return Promise.all(shardsOf(path).map(asItIs));
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  const led = await Promise.all(
    found
      .filter((each) => each.isSymbolicLink())
      .map(async (each) => dirname(resolve(each.parentPath, await readlink(join(each.parentPath, each.name))))),
  );
  const beyond = [...new Set(led)].filter((dir) => dir !== path && !dir.startsWith(`${path}/`));
  return Promise.all([path, ...beyond].map(asItIs));
};
