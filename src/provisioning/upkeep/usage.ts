/**
 * Which pools use what of the store: by key, and by reference too, since whoever asks may have other variables set than the daemon.
 * Pure.
 */
import type { PoolSpec } from '../../machines/vocabulary.ts';
import { containerKey } from '../container/install-image.ts';
import { engineKey } from '../engines/install.ts';
import type { EngineRecord } from '../engines/record.ts';
import { shownUrl } from '../fetch/failures.ts';
import { namedPackage, namedSource } from '../known.ts';
import { urlKey } from '../models/plan.ts';
import type { ModelRecord } from '../models/record.ts';
import { isPackageKey } from '../package/install-package.ts';
import { sourceKeyStart } from '../source/build-source.ts';

export interface Used {
  readonly spec: PoolSpec;
  /** Of its engine, where one runs; null: only the spec is known. */
  readonly modelPath: string | null;
}

/** Ids, each once. */
export const usersOfModel = (
  used: readonly Used[],
  { key, reference, path, files }: Pick<ModelRecord, 'key' | 'reference' | 'path' | 'files'>,
): readonly string[] =>
  idsOf(
    used.filter(({ spec, modelPath }) => {
      const named = spec.model_source?.ref ?? spec.model;
      if (modelPath === path || files.some((file) => file.path === modelPath)) return true;
      if (named === null) return false;
      if (!/^https?:/i.test(named)) return named === reference;
      return URL.canParse(named) && (urlKey(new URL(named).href, spec.model_source?.checksum ?? null) === key || shownUrl(named) === reference);
    }),
  );

export const usersOfEngine = (used: readonly Used[], { key }: Pick<EngineRecord, 'key'>): readonly string[] =>
  idsOf(used.filter(({ spec }) => isEngineOf(spec, key)));

/** For which cards a build is, only the daemon knows: every one of its source counts. */
const isEngineOf = ({ engine, provisioning }: PoolSpec, key: string): boolean => {
  switch (provisioning.mode) {
    case 'binary':
      return engineKey({ ...provisioning.binary, engine }) === key;
    case 'package':
      return isPackageKey(key, { ...namedPackage(engine, provisioning), engine });
    case 'source':
      return key.startsWith(`${sourceKeyStart({ ...namedSource(engine, provisioning), engine })}-`);
    case 'container':
      return containerKey({ ...provisioning.container, engine }) === key;
    case 'external':
      return false;
  }
};

const idsOf = (used: readonly Used[]): readonly string[] => [...new Set(used.map(({ spec }) => spec.id))].sort();
