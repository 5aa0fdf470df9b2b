/**
 * Asks systemd, by its own tool, with a deadline on every call. Names of units are made here from pool ids that have the form of
 * one; nothing goes through a shell. What an answer means is the launcher's business.
 */
import { execFile } from 'node:child_process';
import { helper } from '../../os/helper.ts';
import { poolIdPattern } from '../../state/schemas.ts';

export interface UnitFacts {
  /** active, activating, deactivating, inactive, failed, … */
  readonly activeState: string;
  /** 0: there is none. */
  readonly mainPid: number;
  readonly invocationId: string | null;
}

export type Told = { readonly kind: 'done' } | { readonly kind: 'refused'; readonly message: string } | { readonly kind: 'timeout' };

export interface Systemctl {
  /** Until the job is done. */
  start(unit: string, withinMs: number): Promise<Told>;
  /** Only queues the job. */
  stop(unit: string): Promise<Told>;
  /** Null: systemd did not answer in time, or not so that it can be read. */
  show(unit: string): Promise<UnitFacts | null>;
  /** KillMode= of a unit that is loaded; null: there is none, or systemd did not answer in time. */
  killMode(unit: string): Promise<string | null>;
}

export const unitOf = (poolId: string): string => {
  if (!poolIdPattern.test(poolId)) throw new Error(`expected a pool id, found ${JSON.stringify(poolId)}`);
  return `llama-engine@${poolId}.service`;
};

/** PID 1 answers in milliseconds; one that reloads many units takes a second or two. */
const askWithinMs = 5_000;

export const systemctl = (executable = 'systemctl'): Systemctl => {
  const tell = async (args: readonly string[], withinMs: number): Promise<Told> => {
    const ran = await run(executable, ['--no-ask-password', ...args], withinMs);
    if (ran === null) return { kind: 'timeout' };
    return ran.code === 0 ? { kind: 'done' } : { kind: 'refused', message: ran.stderr.trim().slice(0, 1000) };
  };
  const ask = async (args: readonly string[]): Promise<string | null> => {
    const ran = await run(executable, args, askWithinMs);
    return ran === null || ran.code !== 0 ? null : ran.stdout;
  };
  return {
    start: (unit, withinMs) => tell(['start', unit], withinMs),
    stop: (unit) => tell(['stop', '--no-block', unit], askWithinMs),
    show: async (unit) => {
      const text = await ask(['show', '--property=ActiveState,MainPID,InvocationID', unit]);
      return text === null ? null : factsOf(text);
    },
    killMode: async (unit) => {
      const fields = fieldsOf((await ask(['show', '--property=LoadState,KillMode', unit])) ?? '');
      return fields.get('LoadState') === 'loaded' ? (fields.get('KillMode') ?? null) : null;
    },
  };
};

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const mostOutputBytes = 1024 * 1024;

/** Null: no answer in time. The child is killed and not waited for. */
const run = (executable: string, args: readonly string[], withinMs: number): Promise<Ran | null> =>
  new Promise((resolve) => {
    const options = { env: { PATH: process.env['PATH'], LC_ALL: 'C', SYSTEMD_PAGER: '' }, maxBuffer: mostOutputBytes };
    const command = helper(executable, args);
    const child = execFile(command.file, command.argv, options, (error, stdout, stderr) => {
      clearTimeout(limit);
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      resolve({ code, stdout, stderr: code === null && error !== null ? error.message : stderr });
    });
    const limit = setTimeout(() => {
      child.kill('SIGKILL');
      resolve(null);
    }, withinMs);
  });

const fieldsOf = (text: string): ReadonlyMap<string, string> =>
  new Map(text.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

const factsOf = (text: string): UnitFacts | null => {
  const fields = fieldsOf(text);
  const activeState = fields.get('ActiveState');
  const mainPid = Number(fields.get('MainPID'));
  if (activeState === undefined || !Number.isSafeInteger(mainPid)) return null;
  return { activeState, mainPid, invocationId: fields.get('InvocationID') || null };
};
