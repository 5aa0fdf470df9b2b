/** What a shell says of an executable that could be started when it was looked at, and could not any more when it was to be. */
import type { Cause, EngineExit } from '../../machines/vocabulary.ts';
import { engineMissing } from '../../provisioning/engines/on-machine.ts';
import { gateName } from './gate.ts';

/** The Cause of an engine that was never begun: the shell says so with 126 or 127 and its own name. Null: it did begin. */
export const whyNotBegun = ({ code }: EngineExit, tail: readonly string[], path: string): Cause | null => {
  if (code !== 126 && code !== 127) return null;
  const said = tail.findLast((line) => line.startsWith(`${gateName}:`));
  return said === undefined ? null : engineMissing(path, `it, or the interpreter it names, could not be started (${said.trim()})`);
};
