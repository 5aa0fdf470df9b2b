/**
 * Starts a tool whose output is read. What the kernel refuses, Node tells in three ways: at the limit of open files by a child
 * without pipes and an error a moment later, else by an error later, or at once. Here it is told in one, always later.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Command } from './helper.ts';

/** Nothing goes in; what it prints comes by pipes. */
export type Tool = ChildProcessByStdio<null, Readable, Readable>;

export interface ToolOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly cwd?: string;
  /** In a group of its own, so that what it starts can be ended with it. */
  readonly detached?: true;
}

/** Null: it was not started. Then `failed` is called soon, once; it may be called where a tool was returned too. */
export const startTool = (command: Command, { env, ...options }: ToolOptions, failed: (error: NodeJS.ErrnoException) => void): Tool | null => {
  try {
    const child: Tool = spawn(command.file, command.argv, { ...options, stdio: ['ignore', 'pipe', 'pipe'], env: { ...env } });
    child.once('error', failed);
    return child.pid === undefined ? null : child;
  } catch (thrown) {
    queueMicrotask(() => failed(thrown instanceof Error ? thrown : new Error(String(thrown))));
    return null;
  }
};
