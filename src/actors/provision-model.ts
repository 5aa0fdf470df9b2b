/**
 * Makes the model of a pool present: fetched where its reference is not a path, then a readable file, a gguf in shards, or a
 * directory for engines that load one; what its header says of its size comes along. Undo: what is being fetched is given up and
 * gone on with by whoever asks next.
 */
import { constants, type Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { fromPromise } from 'xstate';
import { CauseError, causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import { readShape, shardsOf } from '../gpu/estimate/read-shape.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { ModelPresent, ModelShape, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import type { FindModel } from '../provisioning/models/find-model.ts';
import { modelMissing } from '../provisioning/models/missing.ts';
import { modelOf } from '../provisioning/provisioning.ts';
import { tellPool } from './provision/tell-pool.ts';

export interface ProvisionModelDeps {
  readonly findModel: FindModel;
}

export const provisionModel = ({ findModel }: ProvisionModelDeps): typeof poolActors.provisionModel =>
  fromPromise<ModelPresent & Stamp, { readonly spec: PoolSpec }>(async ({ input: { spec }, self, signal }) => {
    try {
      const wanted = modelOf(spec, false);
      if (wanted === null) return { id: spec.engine, path: null, bytes: null, ...stamp() };
      const path = await findModel(wanted, { report: tellPool(self, 'model'), signal });
      return { ...(await inspect(path, spec)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'model_missing'), ...stamp() } satisfies Failure;
    }
  });

const inspect = async (path: string, spec: PoolSpec): Promise<ModelPresent> => {
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
