/** Whether a path can be started, told before anything is, and what a shell says when that changed at the last moment. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Cause, EngineExit } from '../../machines/vocabulary.ts';
import { gateName } from './gate.ts';

/** Null: it is a regular file that may be executed. */
export const whyNotExecutable = async (path: string): Promise<string | null> => {
  try {
    if (!(await stat(path)).isFile()) return 'it is no regular file';
    await access(path, constants.X_OK);
    return null;
  } catch (thrown) {
    const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return 'there is no such file';
    if (errno === 'EACCES') return 'it may not be executed by this user';
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
};

export const engineMissing = (path: string, found: string): Cause => ({
  code: 'engine_missing',
  message: `expected an executable at ${path}, found that ${found}; set \`provisioning.executable\``,
  details: { path },
});

/** The Cause of an engine that was never begun: the shell says so with 126 or 127 and its own name. Null: it did begin. */
export const whyNotBegun = ({ code }: EngineExit, tail: readonly string[], path: string): Cause | null => {
  if (code !== 126 && code !== 127) return null;
  const said = tail.findLast((line) => line.startsWith(`${gateName}:`));
  return said === undefined ? null : engineMissing(path, `it, or the interpreter it names, could not be started (${said.trim()})`);
};
