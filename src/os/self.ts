/**
 * How this program starts itself once more, or gets at what it brings along: as the executable with Node inside, or as a script of the
 * Node that runs it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getAsset, getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';

/** Commands of the executable that are for no person. */
export const stubEngineCommand = 'stub-llama-server';

/** A command of `pool-managerd`: program and arguments. */
export const ownCommand = (...args: readonly string[]): readonly [program: string, args: readonly string[]] =>
  isSea() ? [process.execPath, args] : [process.execPath, [fileURLToPath(new URL('../../bin/pool-managerd.js', import.meta.url)), ...args]];

/** The stub engine: program and first arguments. */
export const ownStubEngine = (): readonly string[] =>
  isSea() ? [process.execPath, stubEngineCommand] : [process.execPath, fileURLToPath(new URL('../demo/stub-llama-server.ts', import.meta.url))];

/** What the executable has inside besides its script, by name; `tools/build.ts` puts it there. */
export type OwnAsset = 'provisioning-worker.cjs' | 'tiny.gguf';

/** The program of a thread, as `Worker` takes it. `file`: where it lies among the sources. */
export const ownThread = (file: URL, asset: OwnAsset): readonly [program: URL | string, options: { readonly eval?: true }] =>
  isSea() ? [getAsset(asset, 'utf8'), { eval: true }] : [file, {}];

/** The path of a file that we bring along; out of the executable it is written to `dir` first. */
export const ownFile = async (file: URL, asset: OwnAsset, dir: string): Promise<string> => {
  if (!isSea()) return fileURLToPath(file);
  const path = join(dir, asset);
  await writeFile(path, new Uint8Array(getRawAsset(asset)));
  return path;
};
