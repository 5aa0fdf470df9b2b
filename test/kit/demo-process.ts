/** Runs the demo as a person does, in a temporary directory that is looked into afterwards. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { identityOfPid } from '../../src/os/proc-stat.ts';

export interface DemoProcess {
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<number | null>;
  /** What it left: files in its temporary directory, and processes among the pids it named that live. */
  readonly left: () => { readonly files: readonly string[]; readonly pids: readonly number[] };
}

export const demoProgram = join(import.meta.dirname, '../../bin/pool-managerd.js');

export const startDemo = (...args: readonly string[]): DemoProcess => {
  const temporary = mkdtempSync(join(tmpdir(), 'demo-test-'));
  const { LLAMA_SERVER: _, ...env } = process.env;
  const child = spawn(process.execPath, [demoProgram, 'demo', '--free-ports', ...args], {
    // No llama-server that this machine may have: each test says which engine it means.
    env: { ...env, PATH: '/usr/bin:/bin', TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (piece: Buffer) => (texts[name] += piece.toString('utf8')));
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  onTestFinished(async () => {
    // The demo ends everything of its own on TERM, twice is at once.
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      child.kill('SIGTERM');
      await exited;
    }
    rmSync(temporary, { recursive: true, force: true });
  });
  return {
    pid: child.pid ?? 0,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    signal: (signal) => void child.kill(signal),
    exited,
    left: () => ({ files: readdirSync(temporary), pids: pidsIn(texts.stdout).filter((pid) => identityOfPid(pid) !== null) }),
  };
};

export const pidsIn = (text: string): readonly number[] => [...new Set([...text.matchAll(/\bpid (\d+)/g)].map(([, pid]) => Number(pid)))];
