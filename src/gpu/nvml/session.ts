/**
 * The process that asks the driver through NVML, seen from the daemon: started when it is asked the first time, asked again and
 * again, and ended with the daemon. No question holds the daemon: by its deadline the process is killed and let go of.
 *
 * One process at a time: while one is stuck in the driver no other is started. What answers mean is for others to say.
 */
import { stamp } from '../../clock.ts';
import { type Command, helper } from '../../os/helper.ts';
import { nvmlProbeCommand, ownCommand } from '../../os/self.ts';
import { startTalker, type Talker } from '../../os/start-tool.ts';
import type { Stuck } from '../run-child.ts';
import { lineReader } from './lines.ts';
import { longestLine, type Question, readSaying, type Saying, type WireFacts, type WireXid } from './protocol.ts';

export type Answer =
  | { readonly end: 'facts'; readonly facts: WireFacts }
  /** A result code of NVML. */
  | { readonly end: 'failed'; readonly call: string; readonly code: number }
  /** There is no library to ask. */
  | { readonly end: 'unavailable'; readonly why: string }
  /** It was not started, ended by itself, or said what nobody understands. */
  | { readonly end: 'broken'; readonly why: string }
  | { readonly end: 'stuck'; readonly stuck: Stuck }
  | { readonly end: 'closed' };

export interface NvmlSession {
  /** Not to be called while a question is out. */
  ask(deep: boolean, deadlineMs: number): Promise<Answer>;
  /** Ends the process, and with it all that it holds open of the driver. The next question starts another. */
  rest(): void;
  /** For good, without waiting. */
  close(): void;
}

export interface NvmlSessionOptions {
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly onXid?: (xid: WireXid) => void;
  /** Anything but this program's own, and but SIGKILL, is for tests. */
  readonly command?: Command;
  readonly killSignal?: NodeJS.Signals;
}

const longestWords = 400;

export const nvmlSession = ({ env = process.env, onXid, killSignal = 'SIGKILL', ...options }: NvmlSessionOptions = {}): NvmlSession => {
  let current: Conversation | null = null;
  let stuck: Stuck | null = null;
  let closed = false;
  let lastId = 0;

  const end = (): void => {
    current?.end();
    current = null;
  };

  return {
    ask: (deep, deadlineMs) => {
      if (closed) return Promise.resolve({ end: 'closed' });
      if (stuck !== null) return Promise.resolve({ end: 'stuck', stuck });
      lastId += 1;
      const question: Question = { id: lastId, deep };
      current ??= converse(options.command ?? ownProgram(), { env, killSignal, ...(onXid !== undefined && { onXid }) });
      const asked = current;
      return new Promise((resolve) => {
        const deadline = setTimeout(() => {
          end();
          stuck = asked.left(() => {
            stuck = null;
          });
          resolve(stuck === null ? { end: 'broken', why: 'it said nothing and is gone' } : { end: 'stuck', stuck });
        }, deadlineMs);
        void asked.ask(question).then((answer) => {
          clearTimeout(deadline);
          if (answer.end === 'broken' || answer.end === 'unavailable') end();
          resolve(answer);
        });
      });
    },
    rest: end,
    close: () => {
      closed = true;
      end();
    },
  };
};

/** By `setpriv`, so that it ends even when the daemon is killed while a call hangs. */
const ownProgram = (): Command => {
  const [program, args] = ownCommand(nvmlProbeCommand);
  return helper(program, args);
};

interface Conversation {
  ask(question: Question): Promise<Answer>;
  end(): void;
  /** Null: it has ended. Else it is still there, and `gone` is called when it is not. */
  left(gone: () => void): Stuck | null;
}

type Around = Required<Pick<NvmlSessionOptions, 'env' | 'killSignal'>> & Pick<NvmlSessionOptions, 'onXid'>;

const converse = (command: Command, { env, killSignal, onXid }: Around): Conversation => {
  const begun = stamp();
  let ended: Answer | null = null;
  let waiting: { readonly id: number; readonly resolve: (answer: Answer) => void } | null = null;
  let words = '';

  const settle = (answer: Answer): void => {
    const { resolve } = waiting ?? {};
    waiting = null;
    resolve?.(answer);
  };
  const finish = (answer: Answer): void => {
    ended ??= answer;
    settle(ended);
    if (child !== null) letGo(child, killSignal);
  };
  const broken = (why: string): void => finish({ end: 'broken', why: words === '' ? why : `${why}; it said "${words.replace(/\s+/g, ' ').trim()}"` });

  const hear = (saying: Saying): void => {
    if (saying.kind === 'xid') onXid?.(saying.xid);
    else if (saying.kind === 'unavailable') finish({ end: 'unavailable', why: saying.why });
    else if (saying.kind !== 'ready' && saying.id === waiting?.id)
      settle(saying.kind === 'facts' ? { end: 'facts', facts: saying.facts } : { end: 'failed', call: saying.call, code: saying.code });
  };

  const child: Talker | null = startTalker(command, { env }, (error) => broken(`it could not be started (${error.message})`));
  if (child !== null) {
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      words = (words + chunk).slice(-longestWords);
    });
    const read = lineReader((line) => {
      if (ended !== null) return;
      const saying = line === null ? null : readSaying(line);
      if (saying === null) broken(line === null ? `it said a line of more than ${longestLine} characters` : `it said "${line.slice(0, 120)}"`);
      else hear(saying);
    });
    child.stdout.on('data', read);
    child.once('close', (code, signal) => broken(`it ended (${signal ?? `exit status ${code ?? 'unknown'}`})`));
  }

  return {
    ask: (question) =>
      new Promise((resolve) => {
        if (ended !== null) return resolve(ended);
        waiting = { id: question.id, resolve };
        child?.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    end: () => finish({ end: 'closed' }),
    left: (gone) => {
      if (child === null || !isRunning(child)) return null;
      child.once('exit', gone);
      return { pid: child.pid ?? 0, sinceAt: begun.at, sinceMono: begun.mono };
    },
  };
};

const isRunning = (child: Talker): boolean => child.exitCode === null && child.signalCode === null;

/** Kills without waiting; neither the process nor its pipes keep the daemon alive from here on. */
const letGo = (child: Talker, signal: NodeJS.Signals): void => {
  child.stdin.destroy();
  child.stdout.destroy();
  child.stderr.destroy();
  child.kill(signal);
  child.unref();
};
