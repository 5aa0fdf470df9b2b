/**
 * Finds the list or map that has more parts than any setting may have. Judged before everything else: the schema looks at each
 * part, and some of its checks take time by the square of the number of mistakes. Pure.
 */
import type { Path, ShapeMistake } from './check-shape.ts';

const mostParts = 1024;

/** The first one; null: there is none. A value may refer to itself. */
export const tooLarge = (value: unknown): ShapeMistake | null => {
  const seen = new Set<object>();
  const open: { readonly path: Path; readonly value: unknown }[] = [{ path: [], value }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== 'object' || next.value === null || seen.has(next.value)) continue;
    seen.add(next.value);
    const { path } = next;
    const parts = Object.entries(next.value);
    if (parts.length > mostParts) return { path, value: next.value, expected: `at most ${mostParts} entries` };
    const isList = Array.isArray(next.value);
    open.push(...parts.map(([key, part]) => ({ path: [...path, isList ? Number(key) : key], value: part })));
  }
  return null;
};
