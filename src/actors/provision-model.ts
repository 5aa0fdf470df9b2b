/**
 * Makes the model of a pool present: fetched where its reference is not a path, and looked at. Undo: what is being fetched is given up
 * and gone on with by whoever asks next.
 */
import { fromPromise } from 'xstate';
import { causeOf } from '../cause.ts';
import { stamp } from '../clock.ts';
import type { Failure, poolActors } from '../machines/pool/actors.ts';
import type { ModelPresent, PoolSpec, Stamp } from '../machines/vocabulary.ts';
import type { FindModel } from '../provisioning/models/find-model.ts';
import { inspectModel } from '../provisioning/models/inspect.ts';
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
      return { ...(await inspectModel(path, spec)), ...stamp() };
    } catch (thrown) {
      throw { cause: causeOf(thrown, 'model_missing'), ...stamp() } satisfies Failure;
    }
  });
