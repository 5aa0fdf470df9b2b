/**
 * From a pool's spec to its engine and its model, on one store: what the daemon and `pull` have in common. Engines that are on the
 * machine already (mode `external`) are none of its business.
 */
import type { EnginePresent, PoolSpec } from '../machines/vocabulary.ts';
import { imageReference } from './container/image.ts';
import { createInstallImage } from './container/install-image.ts';
import type { Containers } from './container/runtime.ts';
import { createInstallEngine } from './engines/install.ts';
import type { HubSettings } from './hub/settings.ts';
import { namedPackage, namedSource } from './known.ts';
import { createEnsureModel } from './models/ensure.ts';
import { createFindModel, type FindModel } from './models/find-model.ts';
import type { WantedModel } from './models/wanted.ts';
import { createInstallPackage } from './package/install-package.ts';
import { createSelfTest } from './self-test/self-test.ts';
import { createBuildSource } from './source/build-source.ts';
import type { Passenger } from './store/flights.ts';
import type { StorePaths } from './store/paths.ts';

export interface EngineWork {
  /** For people. */
  readonly what: string;
  /** Rejects with CauseError, or with the reason of the signal. */
  run(passenger: Passenger): Promise<EnginePresent>;
}

export interface Provisioning {
  readonly findModel: FindModel;
  /** Null: nothing is to be made in this mode. */
  readonly engineOf: (spec: PoolSpec) => EngineWork | null;
}

export interface ProvisioningDeps {
  readonly paths: StorePaths;
  /** Relative paths begin here. */
  readonly baseDir: string;
  readonly simulated: boolean;
  readonly hub: HubSettings;
  /** Compute capabilities of the GPUs, as `90`; empty: not known, or simulated. */
  readonly architectures: () => Promise<readonly string[]>;
  /** Null: engines of this daemon are units of their own, which containers cannot be. */
  readonly containers: Containers | null;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const openProvisioning = ({ hub, ...own }: ProvisioningDeps): Provisioning => {
  const deps = { ...own, selfTest: createSelfTest({ simulated: own.simulated }) };
  const install = createInstallEngine(deps);
  const installPackage = createInstallPackage(deps);
  const build = createBuildSource(deps);
  const installImage = createInstallImage(deps);
  return {
    findModel: createFindModel({ ...own, hub, ensure: createEnsureModel() }),
    engineOf: ({ engine, provisioning }) => {
      switch (provisioning.mode) {
        case 'binary': {
          const { install_dir: installDir, ...release } = provisioning.binary;
          return { what: release.url, run: (passenger) => install({ engine, ...release, installDir }, passenger) };
        }
        case 'package': {
          const wanted = namedPackage(engine, provisioning);
          return { what: `${wanted.name} ${wanted.version}`, run: (passenger) => installPackage({ engine, ...wanted }, passenger) };
        }
        case 'source': {
          const { build: how, ...source } = namedSource(engine, provisioning);
          const wanted = { engine, ...source, cmakeFlags: how.cmake_flags, generator: how.generator, cacheDir: how.cache_dir };
          return { what: `${source.repo} ${source.ref}`, run: (passenger) => build(wanted, passenger) };
        }
        case 'container': {
          const { container } = provisioning;
          return { what: imageReference(container), run: (passenger) => installImage({ engine, ...container }, passenger) };
        }
        case 'external':
          return null;
      }
    },
  };
};

/** Null: the pool needs none. `refresh`: what a branch of a hub is, is asked again. */
export const modelOf = ({ model, model_source: source, quant, engine }: PoolSpec, refresh: boolean): WantedModel | null =>
  model === null
    ? null
    : { reference: source?.ref ?? model, checksum: source?.checksum ?? null, cacheDir: source?.cache_dir ?? null, quant, engine, refresh };
