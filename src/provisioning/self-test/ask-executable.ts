/**
 * What an engine's executable says of itself: `--version` and `--help`, each within the deadline. Answers are kept for as long
 * as the file is the same one, so that a restart costs nothing.
 */
import { stat } from 'node:fs/promises';
import { CauseError } from '../../cause.ts';
import type { EngineAdapter } from '../../engines/adapter.ts';
import { type ChildResult, childRunner } from '../../gpu/run-child.ts';
import type { Cause, EnginePresent } from '../../machines/vocabulary.ts';

type Said = Pick<EnginePresent, 'version' | 'knownFlags'>;
export type AskExecutable = (executable: string, adapter: EngineAdapter, env: Readonly<Record<string, string>>, signal: AbortSignal) => Promise<Said>;

/** Far more than any `--help`. */
const mostOutputBytes = 1024 * 1024;
const mostKept = 64;

export const askExecutable = ({ deadlineMs }: { readonly deadlineMs: number }): AskExecutable => {
  const kept = new Map<string, Said>();
  return async (executable, adapter, env, signal) => {
    const { mtimeMs, size, ino } = await stat(executable);
    const key = JSON.stringify([executable, adapter.name, mtimeMs, size, ino]);
    const known = kept.get(key);
    if (known !== undefined) return known;
    const ask = asker(executable, env, adapter.askWithinMs ?? deadlineMs, signal);
    const said = {
      version: adapter.version === null ? null : adapter.version.parse(await ask(adapter.version.argv)),
      knownFlags: adapter.help === null ? null : adapter.help.parseFlags(await ask(adapter.help.argv)),
    };
    for (const oldest of kept.keys()) {
      if (kept.size < mostKept) break;
      kept.delete(oldest);
    }
    kept.set(key, said);
    return said;
  };
};

const asker = (executable: string, env: Readonly<Record<string, string>>, deadlineMs: number, signal: AbortSignal) => {
  const runner = childRunner({ executable, env, maxOutputBytes: mostOutputBytes });
  signal.addEventListener('abort', () => runner.close(), { once: true });
  return async (argv: readonly string[]): Promise<string> => {
    const result = await runner.run(argv, deadlineMs);
    if (result.end === 'exited' && result.exitCode === 0) return `${result.stdout}\n${result.stderr}`;
    throw new CauseError(unanswered(`${executable} ${argv.join(' ')}`, result, deadlineMs));
  };
};

/** The machine had no room to start anything. */
const shortages: ReadonlySet<string | null> = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);

/** What may be the machine's doing, at a busy moment, is tried again. */
const isPassing = (result: ChildResult): boolean => result.end === 'stuck' || (result.end === 'not_run' && shortages.has(result.errno));

const unanswered = (command: string, result: ChildResult, deadlineMs: number): Cause => ({
  code: isPassing(result) ? 'start_stalled' : 'engine_incompatible',
  message: `expected ${command} to answer with exit code 0 within ${deadlineMs} ms, found ${describe(result)}`,
});

const describe = (result: ChildResult): string => {
  switch (result.end) {
    case 'exited': {
      const how = result.signal === null ? `exit code ${result.exitCode}` : `that it was killed by ${result.signal}`;
      return `${how}: ${JSON.stringify((result.stderr || result.stdout).trim().slice(-300))}`;
    }
    case 'not_run':
      return result.error;
    case 'too_much':
      return `more than ${result.limitBytes} bytes of output`;
    case 'stuck':
      return `no answer (pid ${result.stuck.pid})`;
    case 'closed':
      return 'that it was no longer wanted';
  }
};
