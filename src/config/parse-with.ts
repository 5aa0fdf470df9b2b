/** Parses a value by a schema of the pools file and gives all mistakes at once, each with its path. Never throws. */
import * as v from 'valibot';
import { checkShape, type ShapeMistake } from './check-shape.ts';
import { tooLarge } from './check-size.ts';
import { hidden, pathText } from './mistake.ts';

export type Parsed<T> = { readonly ok: true; readonly output: T } | { readonly ok: false; readonly mistakes: readonly ShapeMistake[] };

type ShapedSchema<T> = v.GenericSchema<unknown, T> & Parameters<typeof checkShape>[0];

export const parseWith = <T>(schema: ShapedSchema<T>, value: unknown): Parsed<T> => {
  const large = tooLarge(value);
  if (large !== null) return { ok: false, mistakes: [large] };
  const parsed = v.safeParse(schema, value);
  const shape = checkShape(schema, value);
  // What valibot says of unknown and missing keys is in `shape` already, and better.
  const values = (parsed.issues ?? []).filter((issue) => issue.type !== 'strict_object').map(toMistake);
  if (parsed.success && shape.length === 0) return { ok: true, output: parsed.output };
  return { ok: false, mistakes: distinct([...shape, ...values]) };
};

const toMistake = (issue: v.BaseIssue<unknown>): ShapeMistake => {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  return { path, value: foundIn(issue, path), expected: issue.message };
};

/** Values of an engine's environment may be secrets. */
const foundIn = ({ path: steps, input }: v.BaseIssue<unknown>, path: ShapeMistake['path']): unknown => {
  const last = steps?.at(-1);
  if (last?.origin === 'key') return last.key;
  if (path.at(-2) === 'env') return hidden;
  return last === undefined ? input : last.value;
};

const distinct = (mistakes: readonly ShapeMistake[]): readonly ShapeMistake[] => {
  const byText = new Map(mistakes.map((mistake) => [`${pathText(mistake.path)} ${mistake.expected}`, mistake] as const));
  return [...byText.values()];
};
