/**
 * Finds the model on disk: a readable file, a gguf in shards, or a directory for engines that load one; what its header says of its
 * size comes along. Fetches nothing and verifies nothing: this version knows models that are there already.
 */
import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromPromise } from 'xstate';
import { CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import { readShape, shardsOf } from '../gpu/estimate/read-shape.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { Cause, ModelPresent, ModelShape, PoolSpec, Stamp } from '../machines/vocabulary.ts';

export interface ProvisionModelDeps {
  /** Folder of the pools file: relative paths begin here. */
  readonly baseDir: string;
}

export const provisionModel = ({ baseDir }: ProvisionModelDeps): typeof poolActors.provisionModel =>
  fromPromise<ModelPresent & Stamp, { readonly spec: PoolSpec }>(async ({ input: { spec } }) => {
    try {
      return { ...(spec.model === null ? { id: spec.engine, path: null, bytes: null } : await find(spec.model, spec, baseDir)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'model_missing'), ...stamp() } satisfies Failure;
    }
  });

const find = async (reference: string, spec: PoolSpec, baseDir: string): Promise<ModelPresent> => {
  const path = pathOf(reference, baseDir);
  const found = await look(path);
  const id = basename(path).replace(/\.gguf$/i, '');
  if (found.isFile()) return { id, path, bytes: await bytesOf(path), shape: await shapeOf(path) };
  if (found.isDirectory() && spec.engine !== 'llamacpp') {
    const shape = await shapeOf(path);
    return { id, path, bytes: shape?.tensorBytes ?? null, shape };
  }
  throw missing(path, found.isDirectory() ? 'a directory' : 'neither a file nor a directory');
};

/** A scheme of two letters or more: `hf:org/name`, `https://…`. */
const scheme = /^([a-z][a-z0-9+.-]+):/i;

const pathOf = (reference: string, baseDir: string): string => {
  const found = scheme.exec(reference)?.[1]?.toLowerCase();
  if (found === undefined) return resolve(baseDir, reference);
  if (found !== 'file') {
    throw new CauseError({
      code: 'model_missing',
      message: `expected a path or file:/…, since this version fetches no models, found ${JSON.stringify(reference)}; fetch it and set \`model\` to its path`,
    });
  }
  try {
    return fileURLToPath(reference);
  } catch (thrown) {
    throw new CauseError({
      code: 'model_missing',
      message: `expected file:/ and an absolute path, found ${JSON.stringify(reference)}: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  }
};

const look = async (path: string): Promise<Stats> => {
  try {
    const found = await stat(path);
    await access(path, constants.R_OK);
    return found;
  } catch (thrown) {
    const errno = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    throw missing(
      path,
      errno === 'ENOENT' || errno === 'ENOTDIR' ? 'nothing there' : errno === 'EACCES' ? 'one that may not be read' : String(thrown),
    );
  }
};

/** Of all shards, each of which must be there. */
const bytesOf = async (path: string): Promise<number> => {
  let bytes = 0;
  for (const file of shardsOf(path)) bytes += (await look(file)).size;
  return bytes;
};

/** What cannot be read is not known. Whether that is a fault, the engine says: it may know formats that we do not. */
const shapeOf = (path: string): Promise<ModelShape | null> => readShape(path).catch(() => null);

const missing = (path: string, found: string): CauseError => {
  const cause: Cause = { code: 'model_missing', message: `expected a readable model at ${path}, found ${found}; set \`model\``, details: { path } };
  return new CauseError(cause);
};
