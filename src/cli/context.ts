/** What a command is given: its surroundings, so that tests and `main.ts` differ in nothing else. */
import type { Api } from './api.ts';

export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
  /** Ends what would go on for ever (`--watch`, `-f`) with exit code 0. */
  readonly signal?: AbortSignal;
  readonly version: string;
  /** Starts the daemon; resolves with its exit code. */
  readonly runServe: () => Promise<number>;
  readonly runDemo: (args: DemoArgs) => Promise<number>;
  readonly config: ConfigTools;
}

export interface DemoArgs {
  /** Everything after `demo`. */
  readonly args: readonly string[];
}

/** The pools file, as `src/config` knows it. */
export interface ConfigTools {
  /** One line per mistake; empty: the file is valid. Throws only when the file cannot be read. */
  readonly check: (file: string) => Promise<readonly string[]>;
  /** JSON Schema. */
  readonly schema: () => unknown;
  /** A commented pools file. */
  readonly example: () => string;
}

/** What a command that talks to the daemon works with. */
export interface Session {
  readonly api: Api;
  readonly json: boolean;
  /** Colours may be used. */
  readonly colour: boolean;
  readonly tty: boolean;
  readonly signal: AbortSignal;
  /** One line to standard output. */
  readonly print: (line: string) => void;
  /** One line to standard error: what is going on, never a result. */
  readonly note: (line: string) => void;
}
