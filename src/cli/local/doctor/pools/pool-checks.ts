/** One pool before it is started. Each check says what a start would; what a start would refuse fails, in the same words. */
import { CauseError } from '../../../../cause.ts';
import type { PoolSpec } from '../../../../machines/vocabulary.ts';
import { type Check, fail, inWords, unknown } from '../check.ts';
import type { PoolsAround } from './around.ts';
import { engineCheck } from './engine-check.ts';
import { modelCheck } from './model-check.ts';
import { devicesCheck, keyCheck, portsCheck } from './place-checks.ts';

export const poolChecks = async (spec: PoolSpec, around: PoolsAround): Promise<readonly Check[]> => {
  const checks = await Promise.all([
    engineCheck(spec, around).catch((thrown: unknown) => problem('engine', thrown)),
    modelCheck(spec, around).catch((thrown: unknown) => problem('model', thrown)),
    devicesCheck(spec, around),
    portsCheck(spec, around),
    keyCheck(spec),
  ]);
  return checks.filter((check) => check !== null);
};

const problem = (name: string, thrown: unknown): Check =>
  thrown instanceof CauseError ? fail(name, thrown.reason.code, thrown.message) : unknown(name, `it cannot be looked at: ${inWords(thrown)}`);
