/**
 * Walks a value beside its schema and names every key that is unknown or missing: valibot stops at the first unknown one and
 * says nothing of what was meant. Pure; values of keys are judged by the schema itself.
 */
import { nearest } from './did-you-mean.ts';

export type Path = readonly (string | number)[];

export interface ShapeMistake {
  readonly path: Path;
  readonly value: unknown;
  readonly expected: string;
}

/** The parts of valibot's schemas that give a value its shape. */
interface Schema {
  readonly type: string;
  readonly message?: unknown;
  readonly wrapped?: Schema;
  readonly item?: Schema;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly options?: readonly unknown[];
  readonly key?: unknown;
  readonly literal?: unknown;
}

export const checkShape = (schema: Schema, value: unknown, path: Path = []): readonly ShapeMistake[] => {
  switch (schema.type) {
    case 'optional':
    case 'nullish':
      return schema.wrapped === undefined || value === undefined || (value === null && schema.type === 'nullish')
        ? []
        : checkShape(schema.wrapped, value, path);
    case 'array':
      return schema.item === undefined || !Array.isArray(value) ? [] : checkItems(schema.item, value, path);
    case 'variant':
      return checkVariant(schema, value, path);
    case 'strict_object':
      return isMap(value) ? checkEntries(schema.entries ?? {}, value, path) : [{ path, value, expected: messageOf(schema) }];
    case 'record':
      return isMap(value) ? [] : [{ path, value, expected: messageOf(schema) }];
    default:
      return [];
  }
};

export const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const checkItems = (item: Schema, values: readonly unknown[], path: Path): readonly ShapeMistake[] =>
  values.flatMap((value, index) => checkShape(item, value, [...path, index]));

const checkEntries = (entries: Readonly<Record<string, Schema>>, value: Readonly<Record<string, unknown>>, path: Path): readonly ShapeMistake[] => [
  ...Object.keys(value)
    .filter((key) => !Object.hasOwn(entries, key))
    .map((key) => ({ path: [...path, key], value: key, expected: knownKey(key, Object.keys(entries)) })),
  ...Object.entries(entries).flatMap(([key, entry]) => {
    if (Object.hasOwn(value, key)) return checkShape(entry, value[key], [...path, key]);
    return isOptional(entry) ? [] : [{ path: [...path, key], value: undefined, expected: messageOf(entry) }];
  }),
];

/** The option whose discriminator is there; without one, valibot tells which there are. */
const checkVariant = ({ options = [], key }: Schema, value: unknown, path: Path): readonly ShapeMistake[] => {
  if (!isMap(value) || typeof key !== 'string') return [];
  const option = options.filter(isSchema).find(({ entries }) => entries?.[key]?.literal === value[key]);
  return option === undefined ? [] : checkShape(option, value, path);
};

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null && 'type' in value;

const isOptional = ({ type }: Schema): boolean => type === 'optional' || type === 'nullish';

const messageOf = ({ message }: Schema): string => (typeof message === 'string' ? message : 'a value');

const mostListed = 8;

const knownKey = (key: string, known: readonly string[]): string => {
  const meant = nearest(key, known);
  if (meant !== null) return `a known key (did you mean ${meant}?)`;
  return known.length <= mostListed ? `one of the keys ${known.join(', ')}` : 'a known key';
};
