/** Ways a pool comes into the world: the starting points of the table's search. */
import type { PoolInput } from '../../src/machines/pool/context.ts';
import { attachedInput, because, poolInput, recordedInput, spec } from '../../test/kit/pool-words.ts';

const drain = (why: 'operator' | 'health' | 'reload') => ({ drain: { why, deadlineMono: 1_010_000, bootId: 'boot' } }) as const;

export const births: readonly PoolInput[] = [
  {},
  { gpus: null },
  { gpus: null, gpuCause: because('gpu_missing') },
  { spec: { ...spec, preload: false } },
  recordedInput('loading'),
  recordedInput('ready'),
  recordedInput('emptying', { wanted: 'down', ...drain('operator') }),
  recordedInput('emptying', drain('health')),
  recordedInput('stopping', drain('reload')),
  attachedInput,
].map((own) => ({ ...poolInput, ...own }));
