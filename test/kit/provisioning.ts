/** A store of its own for a test, and passengers that remember what they were told. */
import { join } from 'node:path';
import { usualWidening } from '../../src/provisioning/fetch/wide.ts';
import { hubSettings } from '../../src/provisioning/hub/settings.ts';
import type { Patience } from '../../src/provisioning/jobs/job.ts';
import { createEnsureModel } from '../../src/provisioning/models/ensure.ts';
import { createFindModel, type FindModel } from '../../src/provisioning/models/find-model.ts';
import type { WantedModel } from '../../src/provisioning/models/wanted.ts';
import type { Passenger } from '../../src/provisioning/store/flights.ts';
import { type StorePaths, storePaths } from '../../src/provisioning/store/paths.ts';
import { temporaryDir } from './engine-process.ts';

/** One connection is always enough. */
const narrow = { ...usualWidening, enoughBytesPerMs: 0 };
export const impatient: Patience = { stallMs: 300, tries: 3, firstPauseMs: 5, widening: narrow };

export interface TestStore {
  readonly paths: StorePaths;
  readonly find: FindModel;
}

export const wantedModel = (wanted: Partial<WantedModel> & Pick<WantedModel, 'reference'>): WantedModel => ({
  checksum: null,
  cacheDir: null,
  quant: null,
  engine: null,
  refresh: false,
  ...wanted,
});

export const testStore = async (patience = impatient, root: string | null = null, hub = hubSettings({}, '/nonexistent')): Promise<TestStore> => {
  const paths = storePaths(root ?? join(await temporaryDir(), 'cache'));
  return { paths, find: createFindModel({ paths, baseDir: '/', ensure: createEnsureModel(patience), hub }) };
};

export interface Listener extends Passenger {
  readonly phases: readonly string[];
  readonly progress: readonly (readonly [number, number | null])[];
  leave(): void;
}

export const passenger = (): Listener => {
  const phases: string[] = [];
  const progress: (readonly [number, number | null])[] = [];
  const leaving = new AbortController();
  return {
    phases,
    progress,
    signal: leaving.signal,
    leave: () => leaving.abort(new Error('no longer wanted')),
    report: {
      phase: (phase) => {
        if (phases.at(-1) !== phase) phases.push(phase);
      },
      progress: (done, total) => progress.push([done, total]),
    },
  };
};
