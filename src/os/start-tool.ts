/**
 * Starts a tool whose output is read. What the kernel refuses, Node tells in three ways: at the limit of open files by a child
 * without pipes and an error a moment later, else by an error later, or at once. Here it is told in one, always later.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Command } from './helper.ts';

/** Nothing goes in; what it prints comes by pipes. */
export type Tool = ChildProcessByStdio<null, Readable, Readable>;

/** Null: it was not started. Then `failed` is called soon, once; it may be called where a tool was returned too. */
export const startTool = (command: Command, env: NodeJS.ProcessEnv, failed: (error: Error) => void): Tool | null => {
  try {
    const child: Tool = spawn(command.file, command.argv, { stdio: ['ignore', 'pipe', 'pipe'], env });
    child.once('error', failed);
    return child.pid === undefined ? null : child;
  } catch (thrown) {
    queueMicrotask(() => failed(thrown instanceof Error ? thrown : new Error(String(thrown))));
    return null;
  }
};
