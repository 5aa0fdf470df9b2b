/** How each kind of state file is laid out, its versions, and which pool it belongs to. A new version adds a step to `older`. */
import * as v from 'valibot';
import { publicIdOf } from '../machines/policies/berths.ts';
import type { PoolSpec, RunRecord } from '../machines/vocabulary.ts';
import type { Form } from './codec.ts';
import {
  attachedRecordSchema,
  keptMemorySchema,
  learnedRecordSchema,
  overrideRecordSchema,
  poolSpecSchema,
  runRecordSchema,
  treeRecordSchema,
} from './schemas.ts';
import type { AttachedRecord, KeptMemory, LearnedRecord, OverrideRecord, TreeRecord } from './store.ts';

const asItIs = <T>(value: T): T => value;
const firstVersion = { version: 1, older: {} } as const;
const ofPool = { idOf: ({ poolId }: { readonly poolId: string }) => poolId };

export const runForm: Form<RunRecord, RunRecord> = {
  ...firstVersion,
  ...ofPool,
  schema: v.pipe(
    runRecordSchema,
    v.check(({ poolId, spec }) => publicIdOf(poolId) === spec.id, 'expected the spec of its own pool'),
  ),
  wrap: asItIs,
  unwrap: asItIs,
};

export const memoryForm: Form<KeptMemory, KeptMemory> = { ...firstVersion, ...ofPool, schema: keptMemorySchema, wrap: asItIs, unwrap: asItIs };

export const overrideForm: Form<OverrideRecord, OverrideRecord> = {
  ...firstVersion,
  ...ofPool,
  schema: v.pipe(
    overrideRecordSchema,
    v.check(({ poolId, spec }) => poolId === spec.id, 'expected the spec of its own pool'),
  ),
  wrap: asItIs,
  unwrap: asItIs,
};

export const attachedForm: Form<AttachedRecord, AttachedRecord> = {
  ...firstVersion,
  ...ofPool,
  schema: attachedRecordSchema,
  wrap: asItIs,
  unwrap: asItIs,
};

export const treeForm: Form<TreeRecord, TreeRecord> = { ...firstVersion, ...ofPool, schema: treeRecordSchema, wrap: asItIs, unwrap: asItIs };

export const learnedForm: Form<LearnedRecord, LearnedRecord> = {
  ...firstVersion,
  ...ofPool,
  schema: learnedRecordSchema,
  wrap: asItIs,
  unwrap: asItIs,
};

export const declaredForm: Form<PoolSpec, { readonly version: 1; readonly spec: PoolSpec }> = {
  ...firstVersion,
  schema: v.strictObject({ version: v.literal(1), spec: poolSpecSchema }),
  wrap: (spec) => ({ version: 1, spec }),
  unwrap: ({ spec }) => spec,
  idOf: ({ id }) => id,
};
