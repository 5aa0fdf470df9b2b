/**
 * Starts a tool whose output is read. What the kernel refuses, Node tells in three ways: at the limit of open files by a child
 * without pipes and an error a moment later, else by an error later, or at once. Here it is told in one, always later.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Command } from './helper.ts';

/** Nothing goes in; what it prints comes by pipes. */
export type Tool = ChildProcessByStdio<null, Readable, Readable>;

/** It is spoken to as well. */
export type Talker = ChildProcessByStdio<Writable, Readable, Readable>;

export interface ToolOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly cwd?: string;
  /** In a group of its own, so that what it starts can be ended with it. */
  readonly detached?: true;
}

type Failed = (error: NodeJS.ErrnoException) => void;

/** Null: it was not started. Then `failed` is called soon, once; it may be called where a tool was returned too. */
export const startTool = (command: Command, { env, ...options }: ToolOptions, failed: Failed): Tool | null =>
  started(() => spawn(command.file, command.argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'], env: { ...env } }), failed);

/** The same for one that is spoken to. What is written to one that has ended is lost, and no error. */
export const startTalker = (command: Command, { env, ...options }: ToolOptions, failed: Failed): Talker | null => {
  const talker = started(() => spawn(command.file, command.argv, { ...options, stdio: ['pipe', 'pipe', 'pipe'], env: { ...env } }), failed);
  talker?.stdin.on('error', () => {});
  return talker;
};

const started = <Child extends ChildProcess>(begin: () => Child, failed: Failed): Child | null => {
  try {
    const child = begin();
    child.once('error', failed);
    return child.pid === undefined ? null : child;
  } catch (thrown) {
    queueMicrotask(() => failed(thrown instanceof Error ? thrown : new Error(String(thrown))));
    return null;
  }
};
