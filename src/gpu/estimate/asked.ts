/** What of a spec bears on its memory: context, slots, and those of its own flags that change the KV cache. Pure. */
import { assertNever } from '../../cause.ts';
import type { EngineName, ModelShape, PoolSpec } from '../../machines/vocabulary.ts';
import { cacheTypeBytes, defaultBatch } from './kv-cache.ts';

export type NeedSpec = Pick<PoolSpec, 'engine' | 'slots' | 'ctx' | 'devices' | 'flags'>;

export interface Asked {
  readonly engine: EngineName;
  readonly slots: number;
  /** Of all slots together; null: neither spec nor model tell. */
  readonly tokens: number | null;
  readonly batch: number;
  readonly wholeWindows: boolean;
  /** Bytes per number of keys and of values; null: a type that is not known. */
  readonly k: number | null;
  readonly v: number | null;
  readonly notes: readonly string[];
}

export const askedOf = (spec: NeedSpec, shape: ModelShape | null): Asked => {
  const { engine, slots, ctx, flags } = spec;
  const [k, v] = cacheFlags(engine).map((names) => cacheTypeBytes(valueAfter(flags, names) ?? 'auto'));
  const batch = Number(valueAfter(flags, ['-ub', '--ubatch-size']) ?? defaultBatch);
  return {
    engine,
    slots,
    // Without a context each engine takes the model's own, once for all slots.
    tokens: ctx === null ? (shape?.contextLength ?? null) : ctx * slots,
    batch: Number.isFinite(batch) && batch > 0 ? batch : defaultBatch,
    wholeWindows: flags.includes('--swa-full'),
    k: k ?? null,
    v: v ?? null,
    notes: notCounted.filter(([names]) => names.some((name) => flags.includes(name))).map(([, note]) => note),
  };
};

/** Names of the flags for keys and for values. */
const cacheFlags = (engine: EngineName): readonly (readonly string[])[] => {
  switch (engine) {
    case 'llamacpp':
      return [
        ['-ctk', '--cache-type-k'],
        ['-ctv', '--cache-type-v'],
      ];
    case 'vllm':
    case 'sglang':
    case 'tgi':
      return [['--kv-cache-dtype'], ['--kv-cache-dtype']];
    case 'custom':
      return [[], []];
    default:
      return assertNever(engine);
  }
};

/** The last one counts. */
const valueAfter = (flags: readonly string[], names: readonly string[]): string | null => {
  const at = flags.findLastIndex((flag) => names.includes(flag));
  return at === -1 ? null : (flags[at + 1] ?? null);
};

const notCounted: readonly (readonly [readonly string[], string])[] = [
  [['-md', '--model-draft', '--spec-draft-model', '--speculative-config', '--speculative-draft-model-path'], 'the draft model is not in this sum'],
  [['-mm', '--mmproj'], 'the projector (--mmproj) is not in this sum'],
  [['--lora', '--lora-scaled', '--lora-modules', '--lora-paths'], 'adapters (LoRA) are not in this sum'],
];
