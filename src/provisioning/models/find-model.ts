/** From a model reference to a path on this machine: what is there is taken without asking anybody, the rest is fetched. */
import { resolve } from 'node:path';
import { findOnHub, presentOnHub } from '../hub/find-on-hub.ts';
import type { HubSettings } from '../hub/settings.ts';
import type { Passenger } from '../store/flights.ts';
import { type StorePaths, storePaths } from '../store/paths.ts';
import { type EnsureModel, presentModel } from './ensure.ts';
import { planUrl, urlKey } from './plan.ts';
import { parseReference } from './reference.ts';
import { refusePickles } from './refuse-pickles.ts';
import { verifyFile } from './verified.ts';
import type { WantedModel } from './wanted.ts';

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
  ({ ensure, ...deps }: FindModelDeps): FindModel =>
  async (wanted, passenger) => {
    const { reference, checksum } = wanted;
    const found = parseReference(reference, checksum !== null);
    const place = placeOf(deps, wanted);
    switch (found.kind) {
      case 'path': {
        const path = resolve(deps.baseDir, found.path);
        if (checksum !== null) await verifyFile(deps.paths, path, checksum, passenger);
        await refusePickles(path, wanted.engine);
        return path;
      }
      case 'url':
        return (
          (await presentOfUrl(place, found.url, checksum)) ?? (await ensure(place.store, planUrl(place.store, found.url, checksum), passenger)).path
        );
      case 'hub':
        return findOnHub({ ...place, hub: deps.hub, ensure }, found, wanted, passenger);
    }
  };

/**
 * Where a model is without anything being fetched, asked, hashed or written; null: it would be fetched. A plain path is given as it is,
 * there or not. Throws CauseError where a start would, before it asks anybody.
 */
export const lookForModel = async (deps: Omit<FindModelDeps, 'ensure'>, wanted: WantedModel): Promise<string | null> => {
  const { reference, checksum } = wanted;
  const found = parseReference(reference, checksum !== null);
  switch (found.kind) {
    case 'path': {
      const path = resolve(deps.baseDir, found.path);
      await refusePickles(path, wanted.engine);
      return path;
    }
    case 'url':
      return presentOfUrl(placeOf(deps, wanted), found.url, checksum);
    case 'hub':
      return presentOnHub({ ...placeOf(deps, wanted), hub: deps.hub }, found, wanted);
  }
};

/** Where what is fetched is kept: in the store, or where the pool says; of a hub also where its own tools keep theirs. */
const placeOf = (
  { paths, baseDir, hub }: Omit<FindModelDeps, 'ensure'>,
  { cacheDir }: WantedModel,
): { readonly store: StorePaths; readonly hubDir: string } => {
  const store = cacheDir === null ? paths : storePaths(resolve(baseDir, cacheDir));
  return { store, hubDir: cacheDir === null && hub.cacheDir !== null ? hub.cacheDir : store.hub };
};

const presentOfUrl = async ({ store }: { readonly store: StorePaths }, url: string, checksum: string | null): Promise<string | null> =>
  (await presentModel(store.modelRecords, urlKey(url, checksum)))?.path ?? null;
