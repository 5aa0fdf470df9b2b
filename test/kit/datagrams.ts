/** A datagram socket of Unix that hears what systemd would: Node has none, so a small program of Python holds it. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { until } from './until.ts';

export interface Receiver {
  /** Messages so far: the pid of the sender, the text, and when it was sent, in milliseconds of the wall clock. */
  readonly heard: readonly (readonly [number, string, number])[];
  order(what: 'read' | 'hold'): Promise<void>;
  end(): void;
}

export const receiveDatagrams = async (name: string): Promise<Receiver> => {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn('python3', [join(import.meta.dirname, 'datagram-receiver.py'), name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const heard: [number, string, number][] = [];
  const said: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [first, text, at]: [number | string, string, number] = JSON.parse(line);
    if (typeof first === 'number') heard.push([first, text, at]);
    else said.push(first);
  });
  await until('the receiver to listen', () => said.includes('listening'));
  return {
    heard,
    order: async (what) => {
      const before = said.length;
      child.stdin.write(what);
      await until(`the receiver to ${what}`, () => said.length > before);
    },
    end: () => void child.kill('SIGKILL'),
  };
};
