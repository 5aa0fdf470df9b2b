/**
 * A model on the machine, as an engine is given it: a readable file, a gguf in shards, or a directory for engines that load one; what
 * its header says of its size comes along.
 */
import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CauseError } from '../../cause.ts';
import { readShape, shardsOf } from '../../gpu/estimate/read-shape.ts';
import type { ModelPresent, ModelShape, PoolSpec } from '../../machines/vocabulary.ts';
import { modelMissing } from './missing.ts';

type ModelSpec = Pick<PoolSpec, 'engine' | 'model' | 'model_source'>;

/** Throws CauseError `model_missing`. */
export const inspectModel = async (path: string, spec: ModelSpec): Promise<ModelPresent> => {
  const found = await look(path);
  const id = idOf(spec.model_source?.ref == null ? path : (spec.model ?? path));
  if (found.isFile()) return { id, path, bytes: await bytesOf(path), shape: await shapeOf(path) };
  if (found.isDirectory() && spec.engine !== 'llamacpp') {
    const shape = await shapeOf(path);
    return { id, path, bytes: shape?.tensorBytes ?? null, shape };
  }
  throw missing(path, found.isDirectory() ? 'a directory' : 'neither a file nor a directory');
};

const idOf = (path: string): string => basename(path).replace(/\.gguf$/i, '');

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

const missing = (path: string, found: string): CauseError => new CauseError(modelMissing(path, found));
