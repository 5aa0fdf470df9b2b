/** Turns what a schema found wrong into a Problem: one line for each mistake, with where it is and what was expected. */
import type * as v from 'valibot';
import type { SpecMistake } from './ports.ts';
import { Problem, shown } from './problems.ts';

/** A Standard Schema issue; valibot's fit. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: unknown })[] | undefined;
}

const mostMistakes = 20;

export const invalidParams = (where: 'body' | 'query', issues: readonly Issue[] | readonly v.BaseIssue<unknown>[]): Problem =>
  mistaken(
    issues.map((issue) => `${[where, ...(issue.path ?? []).map(keyOf)].join('.')}: ${issue.message}`),
    400,
  );

/** A body that is well formed and still no valid pool. */
export const invalidSpec = (mistakes: readonly SpecMistake[]): Problem =>
  mistaken(
    mistakes.map(({ key, value, expected }) => `${key}: expected ${expected}, found ${shown(JSON.stringify(value) ?? 'nothing')}`),
    422,
  );

export const mistaken = (mistakes: readonly string[], status: 400 | 422): Problem =>
  new Problem('INVALID_PARAMS', mistakes[0] ?? 'not valid', { status, details: { mistakes: mistakes.slice(0, mostMistakes) } });

const keyOf = (step: PropertyKey | { readonly key: unknown }): string => String(typeof step === 'object' ? step.key : step);
