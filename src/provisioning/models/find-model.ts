/** From a model reference to a path on this machine: what is there is taken without asking anybody, the rest is fetched. */
import { resolve } from 'node:path';
import type { EngineName } from '../../machines/vocabulary.ts';
import { findOnHub } from '../hub/find-on-hub.ts';
import type { HubSettings } from '../hub/settings.ts';
import type { Passenger } from '../store/flights.ts';
import { type StorePaths, storePaths } from '../store/paths.ts';
import { type EnsureModel, presentModel } from './ensure.ts';
import { planUrl, urlKey } from './plan.ts';
import { parseReference } from './reference.ts';
import { refusePickles } from './refuse-pickles.ts';
import { verifyFile } from './verified.ts';

export interface WantedModel {
  readonly reference: string;
  /** `sha256:…`; null: none was given. */
  readonly checksum: string | null;
  /** Quantisation, where the reference leaves a choice. */
  readonly quant: string | null;
  /** llama-server reads one file, others a folder; null: whatever there is. */
  readonly engine: EngineName | null;
  /** Asks the hub again what a branch is; a daemon never does, so that a model changes only when somebody says so. */
  readonly refresh: boolean;
  /** Where models are kept instead of in the store; null: in the store. */
  readonly cacheDir: string | null;
}

export interface FindModelDeps {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly ensure: EnsureModel;
  readonly hub: HubSettings;
}

export type FindModel = (wanted: WantedModel, passenger: Passenger) => Promise<string>;

/** Rejects with CauseError, or with the reason of the signal. A plain path is looked at for a checksum, and for weights that are programs. */
export const createFindModel =
  ({ paths, baseDir, ensure, hub }: FindModelDeps): FindModel =>
  async (wanted, passenger) => {
    const { reference, checksum, cacheDir } = wanted;
    const found = parseReference(reference, checksum !== null);
    const store = cacheDir === null ? paths : storePaths(resolve(baseDir, cacheDir));
    switch (found.kind) {
      case 'path': {
        const path = resolve(baseDir, found.path);
        if (checksum !== null) await verifyFile(paths, path, checksum, passenger);
        await refusePickles(path, wanted.engine);
        return path;
      }
      case 'url': {
        const present = await presentModel(store.modelRecords, urlKey(found.url, checksum));
        return (present ?? (await ensure(store, planUrl(store, found.url, checksum), passenger))).path;
      }
      case 'hub':
        return findOnHub(
          { hub, store, hubDir: cacheDir === null && hub.cacheDir !== null ? hub.cacheDir : store.hub, ensure },
          found,
          wanted,
          passenger,
        );
    }
  };
