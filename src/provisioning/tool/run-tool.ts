/** Runs a tool that installs or builds to its end: in a group of its own that goes with it, its last words kept, given up where it says nothing for long. */
import { getPriority, setPriority } from 'node:os';
import { helper } from '../../os/helper.ts';
import { startTool } from '../../os/start-tool.ts';

export interface ToolRun {
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Without a word for so long it is ended. */
  readonly silenceMs: number;
  /** It works for minutes beside engines: after them in the queue for the processor, with all that it starts. */
  readonly isPatient?: boolean;
}

export interface ToolEnd {
  readonly ok: boolean;
  /** Of standard output, as long as it is short. */
  readonly stdout: string;
  /** Of both streams as they came, the end of it. */
  readonly said: string;
  /** How it ended and what it said last. */
  readonly found: string;
}

const mostKept = 256 * 1024;
const mostTold = 1_200;

/** Rejects with the reason of the signal only. */
export const runTool = ({ file, argv, env, silenceMs, isPatient = false }: ToolRun, signal: AbortSignal): Promise<ToolEnd> => {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = startTool(helper(file, argv, env['PATH']), { env, detached: true }, (error) => finish(false, error.message));
    if (isPatient && child?.pid !== undefined) giveWay(child.pid);
    let [stdout, said, silent] = ['', '', false];
    const end = (): void => {
      try {
        if (child?.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    const quiet = setTimeout(() => {
      silent = true;
      end();
    }, silenceMs);
    const hear = (text: string): void => {
      said = (said + text).slice(-mostKept);
      quiet.refresh();
    };
    child?.stdout.on('data', (data: Buffer) => {
      stdout = (stdout + data.toString()).slice(0, mostKept);
      hear(data.toString());
    });
    child?.stderr.on('data', (data: Buffer) => hear(data.toString()));
    signal.addEventListener('abort', end, { once: true });
    const finish = (ok: boolean, how: string): void => {
      clearTimeout(quiet);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason);
      else resolve({ ok, stdout, said, found: `${silent ? `no word for ${silenceMs} ms` : how}: ${JSON.stringify(said.trim().slice(-mostTold))}` });
    };
    child?.once('close', (code, by) => finish(code === 0 && !silent, by === null ? `exit code ${code}` : `an end by ${by}`));
  });
};

const patientNiceness = 10;

/** Whoever started the daemon may have made it more patient already. */
const giveWay = (pid: number): void => {
  try {
    if (getPriority(pid) < patientNiceness) setPriority(pid, patientNiceness);
  } catch {
    // It has ended already.
  }
};
