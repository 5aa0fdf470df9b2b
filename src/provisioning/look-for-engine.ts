/** Whether the engine of a pool is in the store already. Asks no network and no card, starts nothing, changes nothing. */
import { join } from 'node:path';
import type { PoolSpec } from '../machines/vocabulary.ts';
import { containerKey } from './container/install-image.ts';
import { releaseDir } from './engines/install.ts';
import { intact } from './engines/installed.ts';
import type { EngineRecord } from './engines/record.ts';
import { namedPackage, namedSource } from './known.ts';
import { packageDir } from './package/install-package.ts';
import { sourceKey } from './source/build-source.ts';
import type { StorePaths } from './store/paths.ts';

export interface EngineStore {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly simulated: boolean;
  /** Compute capabilities of the GPUs, as `90`; empty: not known, or simulated. */
  readonly architectures: readonly string[];
}

export interface EngineInStore {
  readonly dir: string;
  /** Null: it is not there, or not what it was when it was tested. */
  readonly record: EngineRecord | null;
}

/** Null: the pool's engine is on the machine by itself. Throws CauseError where it cannot be said which one is meant. */
export const lookForEngine = async (spec: Pick<PoolSpec, 'engine' | 'provisioning'>, store: EngineStore): Promise<EngineInStore | null> => {
  const dir = await dirOf(spec, store);
  return dir === null ? null : { dir, record: await intact(dir, store.simulated) };
};

const dirOf = async ({ engine, provisioning }: Pick<PoolSpec, 'engine' | 'provisioning'>, store: EngineStore): Promise<string | null> => {
  switch (provisioning.mode) {
    case 'binary': {
      const { install_dir: installDir, ...release } = provisioning.binary;
      return releaseDir(store, { engine, ...release, installDir });
    }
    case 'package':
      return packageDir(store, { engine, ...namedPackage(engine, provisioning) });
    case 'source': {
      const { build, ...source } = namedSource(engine, provisioning);
      const wanted = { engine, ...source, cmakeFlags: build.cmake_flags, generator: build.generator };
      return join(store.paths.engines, sourceKey(wanted, store.architectures));
    }
    case 'container':
      return join(store.paths.engines, containerKey({ engine, ...provisioning.container }));
    case 'external':
      return null;
  }
};
