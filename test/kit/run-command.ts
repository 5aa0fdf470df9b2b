/** Runs one command line in this process, the way `main.ts` does, and keeps what it wrote. */
import { Writable } from 'node:stream';
import type { CliContext } from '../../src/cli/context.ts';
import { runCli } from '../../src/cli/program.ts';

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly done: Promise<Ran>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly stop: () => void;
}

const sink = (tty: boolean) => {
  let text = '';
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString('utf8');
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY: tty }), text: () => text };
};

export const startCommand = (args: readonly string[], own: Partial<CliContext> & { readonly tty?: boolean } = {}): Running => {
  const { tty = false, ...context } = own;
  const [stdout, stderr] = [sink(tty), sink(tty)];
  const ending = new AbortController();
  const done = runCli(args, {
    env: {},
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: ending.signal,
    version: '0.1.0',
    runServe: async () => 0,
    runDemo: async () => 0,
    config: { check: async () => [], schema: () => ({}), example: () => '' },
    ...context,
  }).then((exitCode) => ({ exitCode, stdout: stdout.text(), stderr: stderr.text() }));
  return { done, stdout: stdout.text, stderr: stderr.text, stop: () => ending.abort() };
};

export const runCommand = (args: readonly string[], own: Partial<CliContext> & { readonly tty?: boolean } = {}): Promise<Ran> =>
  startCommand(args, own).done;
