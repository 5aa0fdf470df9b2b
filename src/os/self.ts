/** How this program starts itself once more: as the executable with Node inside, or as a script of the Node that runs it. */
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';

/** Commands of the executable that are for no person. */
export const stubEngineCommand = 'stub-llama-server';

/** A command of `pool-managerd`: program and arguments. */
export const ownCommand = (...args: readonly string[]): readonly [program: string, args: readonly string[]] =>
  isSea() ? [process.execPath, args] : [process.execPath, [fileURLToPath(new URL('../../bin/pool-managerd.js', import.meta.url)), ...args]];

/** The stub engine: program and first arguments. */
export const ownStubEngine = (): readonly string[] =>
  isSea() ? [process.execPath, stubEngineCommand] : [process.execPath, fileURLToPath(new URL('../demo/stub-llama-server.ts', import.meta.url))];
