/** One pool as it comes over the API: declared, or changed by a reload. The same schema as in the pools file. */
import type { PoolSpec } from '../machines/vocabulary.ts';
import { isMap, type ShapeMistake } from './check-shape.ts';
import { hidden, lineOf, type Mistake, pathText } from './mistake.ts';
import { parseWith } from './parse-with.ts';
import { poolSchema } from './pool-schema.ts';

export type SpecResult = { readonly ok: true; readonly spec: PoolSpec } | { readonly ok: false; readonly mistakes: readonly Mistake[] };

export const parsePoolSpec = (value: unknown): SpecResult => {
  const parsed = parseWith(poolSchema, value);
  return parsed.ok ? { ok: true, spec: parsed.output } : { ok: false, mistakes: parsed.mistakes.map(toMistake) };
};

export type ChangeResult = { readonly ok: true; readonly spec: PoolSpec } | { readonly ok: false; readonly mistakes: readonly string[] };

/**
 * The spec of a reload: `changes` replace keys whole, but in `timeouts`, `health` and `restart` one by one; null takes a key
 * back to what it is without. `new_model_ref` is the older name of `model`. Judged as a whole; the id stays.
 */
export const changeSpec = (spec: PoolSpec, changes: Readonly<Record<string, unknown>>): ChangeResult => {
  const { new_model_ref: model, ...fields } = changes;
  const merged: Readonly<Record<string, unknown>> = {
    ...spec,
    ...fields,
    ...(model === undefined ? {} : { model }),
    ...Object.fromEntries(partial.flatMap((key) => (isMap(fields[key]) ? [[key, { ...spec[key], ...fields[key] }]] : []))),
  };
  const parsed = parsePoolSpec(merged);
  const mistakes = [
    ...(model !== undefined && 'model' in fields ? ['new_model_ref: expected this or model, found both; they mean the same'] : []),
    ...('id' in fields && fields['id'] !== spec.id
      ? [lineOf({ key: 'id', value: fields['id'], expected: `${spec.id}, which a reload does not change` })]
      : []),
    ...(parsed.ok ? [] : parsed.mistakes.map(lineOf)),
  ];
  return parsed.ok && mistakes.length === 0 ? { ok: true, spec: parsed.spec } : { ok: false, mistakes };
};

const partial = ['timeouts', 'health', 'restart'] as const;

/** The API shows values as JSON. */
const toMistake = ({ path, value, expected }: ShapeMistake): Mistake => ({
  key: path.length === 0 ? 'pool' : pathText(path),
  value: value === hidden ? 'a value that is not shown' : value,
  expected,
});
