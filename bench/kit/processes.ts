/** Child processes of a measurement, what they use, and free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { House } from './house.ts';

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** `ipc`: messages instead. A path: both outputs go to that file. Otherwise standard error is ours. */
  readonly output?: 'pipe' | 'ipc' | { readonly file: string };
}

/** What Node compiles is kept for the next start, on both sides. */
const compiled = resolve(import.meta.dirname, '../../dist/bench-compiled');

/** Ends with the house. */
export const start = (house: House, program: string, argv: readonly string[], { env = {}, output = 'pipe' }: StartOptions = {}): ChildProcess => {
  const file = typeof output === 'object' ? openSync(output.file, 'a') : null;
  const child = spawn(program, argv, {
    stdio: file !== null ? ['ignore', file, file] : output === 'ipc' ? ['ignore', 'ignore', 'inherit', 'ipc'] : ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? house.dir, NODE_COMPILE_CACHE: compiled, ...env },
  });
  if (file !== null) closeSync(file);
  house.atEnd(() => end(child));
  return child;
};

export const end = async (child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
};

export const pidOf = ({ pid }: ChildProcess): number => {
  if (pid === undefined) throw new Error('the process could not be started');
  return pid;
};

/** The first line of output that yields something. Goes on reading, so that the child never waits for a full pipe. */
export const firstLine = <T>({ stdout }: ChildProcess, what: string, read: (line: string) => T | null, withinMs = 20_000): Promise<T> =>
  new Promise((resolve, reject) => {
    if (stdout === null) return reject(new Error('its output is not read'));
    const timer = setTimeout(() => reject(new Error(`waited ${withinMs} ms for ${what}`)), withinMs);
    createInterface(stdout).on('line', (line) => {
      const found = read(line);
      if (found === null) return;
      clearTimeout(timer);
      resolve(found);
    });
  });

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port'))));
    });
  });

const msPerTick = 10;

/** Milliseconds of CPU, user and system, of a process without its children. */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
};

/** Resident bytes. */
export const residentBytes = (pid: number): number => {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`expected the resident memory of pid ${pid}, found none`);
  return Number(kib) * 1024;
};
