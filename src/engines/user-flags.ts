/**
 * Whether a pool's own `flags` may be given to an engine: each exactly a name of its `--help`, none denied. Pure.
 *
 * `--flag=value` and `--flag_name` are refused, since neither is a name in the help; a value is an element of its own.
 */
import type { Cause } from '../machines/vocabulary.ts';

export interface FlagRules {
  /** Why a flag is refused, by its name with dashes; null: it is not. */
  readonly whyDenied: (flag: string) => string | null;
  /** The command that lists the engine's flags. */
  readonly help: string;
}

const negativeNumber = /^-\d+(\.\d+)?$/;

/** Null: they may. `known`: every spelling of the `--help`; null: it could not be asked. */
export const userFlagsProblem = (flags: readonly string[], known: readonly string[] | null, rules: FlagRules): Cause | null => {
  const names = new Set(known ?? []);
  for (const [index, word] of flags.entries()) {
    const problem = isName(word) ? nameProblem(word, known === null ? null : names, rules) : valueProblem(word, flags[index - 1]);
    if (problem !== null) return { code: 'invalid_spec', message: `flags[${index}] ${JSON.stringify(word)}: ${problem}`, details: { flag: word } };
  }
  return null;
};

const isName = (word: string): boolean => word.startsWith('-') && !negativeNumber.test(word);

const nameProblem = (flag: string, known: ReadonlySet<string> | null, { whyDenied, help }: FlagRules): string | null => {
  const denied = whyDenied(canonical(flag));
  if (denied !== null) return `not allowed: ${denied}`;
  if (known === null) return 'expected an engine whose --help names its flags, found one that does not answer; remove `flags`';
  if (known.has(flag)) return null;
  return flag.includes('=')
    ? 'expected flag and value as two elements'
    : `expected a flag that this engine's --help names, found none of that name; \`${help}\` lists them`;
};

/** The name an engine could read out of it. */
const canonical = (flag: string): string => (flag.split('=')[0] ?? flag).replaceAll('_', '-');

const valueProblem = (word: string, before: string | undefined): string | null => {
  if (before === undefined || !isName(before)) return 'expected a flag here, found a value without one';
  return word.includes('\0') ? 'contains a NUL byte' : null;
};
