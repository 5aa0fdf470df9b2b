/** From a model reference to a path on this machine: what is there is taken without asking anybody, the rest is fetched. */
import { resolve } from 'node:path';
import type { Passenger } from '../store/flights.ts';
import { type StorePaths, storePaths } from '../store/paths.ts';
import { type EnsureModel, presentModel } from './ensure.ts';
import { planUrl, urlKey } from './plan.ts';
import { parseReference } from './reference.ts';
import { verifyFile } from './verified.ts';

export interface WantedModel {
  readonly reference: string;
  /** `sha256:…`; null: none was given. */
  readonly checksum: string | null;
  /** Where models are kept instead of in the store; null: in the store. */
  readonly cacheDir: string | null;
}

export interface FindModelDeps {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly ensure: EnsureModel;
}

export type FindModel = (wanted: WantedModel, passenger: Passenger) => Promise<string>;

/** Rejects with CauseError, or with the reason of the signal. A plain path is not looked at unless there is a checksum. */
export const createFindModel =
  ({ paths, baseDir, ensure }: FindModelDeps): FindModel =>
  async ({ reference, checksum, cacheDir }, passenger) => {
    const found = parseReference(reference, checksum !== null);
    const store = cacheDir === null ? paths : storePaths(resolve(baseDir, cacheDir));
    switch (found.kind) {
      case 'path': {
        const path = resolve(baseDir, found.path);
        if (checksum !== null) await verifyFile(paths, path, checksum, passenger);
        return path;
      }
      case 'url': {
        const present = await presentModel(store.modelRecords, urlKey(found.url, checksum));
        return (present ?? (await ensure(store, planUrl(store, found.url, checksum), passenger))).path;
      }
      case 'hub':
        throw new Error('hub');
    }
  };
